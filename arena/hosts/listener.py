"""Where hosts connect: a port of its own, beside the pages', with TLS on any but a loopback address."""

from __future__ import annotations

import contextlib
import http
import ipaddress
import logging
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from arena.errors import ArenaError, NotFoundError, SettingsError
from arena.hosts.link import LEASE, PING_EVERY, PING_WAIT, HostLink, read_envelope
from arena.hosts.wire import MAX_HELLO, Envelope, Hello, decode, encode
from arena.runtime.version import runtime_hash
from arena.store.hosts import HostState, end_all_leases, end_lease, host_of, renew_lease, take_lease

log = logging.getLogger("arena.hosts")

# Connections; a host has one.
_OF_ADDRESS, _IN_ALL = 64, 512
# Messages of a connection that wait to be read; a host sends one for each that it got.
_WAITING = 4


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return what a listener proves itself with; SettingsError where the files do not serve."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"HOSTS_CERTIFICATE and HOSTS_KEY cannot be used: {error}"]) from None
    return context


class HostListener:
    """Lets hosts in that show a token, and holds their leases.

    `attach` gives a host to the running season and `detach` takes it away; `drain` has its bots moved; `doing` says
    how each host is doing. All four are called from the listener's threads.
    """

    def __init__(
        self,
        database: Database,
        address: tuple[str, int],
        attach: Callable[[HostLink], None],
        detach: Callable[[HostLink, str], None],
        drain: Callable[[str], None],
        doing: Callable[[], dict[str, dict[str, Any]]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare to listen; ArenaError where the address is taken or would carry tokens in the clear."""
        host, port = address
        if tls is None and not _is_loopback(host):
            words = f"Hosts would connect to {host} without TLS, so that anybody could read their token: set "
            raise SettingsError([f"{words}HOSTS_CERTIFICATE and HOSTS_KEY, or listen on 127.0.0.1."])
        self._database = database
        self._attach, self._detach, self._drain, self._doing = attach, detach, drain, doing
        self._links: dict[str, HostLink] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        try:
            self._server: Server = serve(
                self._serve, host, port, ssl=tls, process_request=self._admit, compression=None,
                max_size=MAX_HELLO, ping_interval=PING_EVERY, ping_timeout=PING_WAIT, close_timeout=1.0,
                server_header=None, max_queue=_WAITING, logger=logging.getLogger("arena.hosts.wire"),
            )  # fmt: skip
        except OSError as error:
            raise ArenaError(f"Cannot listen for hosts on {host}:{port}: {error.strerror}. See HOSTS_LISTEN.") from None
        self._server.handler = _few_at_once(self._server)
        self._thread = threading.Thread(target=self._server.serve_forever, name="hosts")

    @property
    def port(self) -> int:
        """Return the port that hosts connect to."""
        return int(self._server.socket.getsockname()[1])

    def start(self) -> None:
        """Let hosts in from now on; leases of a server before are over."""
        end_all_leases(self._database, "the server was started anew")
        self._thread.start()

    def stop(self) -> None:
        """Give every host up and listen no more."""
        self._stopped.set()
        for link in self.links():
            link.close("the server ends")
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        else:
            self._server.socket.close()

    def links(self) -> list[HostLink]:
        """Return the hosts that have joined."""
        with self._lock:
            return list(self._links.values())

    # -- one host -------------------------------------------------------------------------------------------

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse who shows no token of a host, before anything else is read."""
        if self._host_of(request) is None:
            text = "This needs a host's token: `arena hosts add NAME` makes one.\n"
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, text)
        return None

    def _host_of(self, request: Request) -> str | None:
        """Return whose token a request shows, once; None where it is nobody's."""
        shown = request.headers.get_all("Authorization")
        return host_of(self._database, shown[0].removeprefix("Bearer ").strip()) if len(shown) == 1 else None

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        name = self._host_of(connection.request)
        try:
            link = None if name is None else self._joined(connection, name)
        except (ConnectionClosed, TimeoutError, ValueError, OSError) as error:
            log.warning("A host that called itself '%s' did not join: %s", name, error)
            return
        if link is not None:
            self._hold(connection, link)

    def _joined(self, connection: ServerConnection, name: str) -> HostLink | None:
        data = connection.recv(timeout=PING_WAIT)
        if len(data) > MAX_HELLO:
            raise ValueError(f"its first message has more than {MAX_HELLO} bytes")
        first = read_envelope(data)
        hello = decode(first.content, Hello)
        refusal = _refusal(hello)
        if refusal:
            log.warning("Host '%s' is refused: %s", name, refusal)
            connection.send(encode(Envelope("refused", 0, refusal.encode())))
            return None
        before = self._links.get(name)
        if before is not None:
            self._end(before, HostState.LOST, "it has connected once more")
        fence = take_lease(self._database, name, LEASE, level=hello.level, capacity=hello.capacity)
        link = HostLink(connection, name, hello, fence)
        connection.send(encode(Envelope("welcome", fence, b"")))
        with self._lock:
            self._links[name] = link
        self._attach(link)
        return link

    def _hold(self, connection: ServerConnection, link: HostLink) -> None:
        """Prolong the lease until host, server or connection ends."""
        reason = "its connection has ended"
        while not link.closed.wait(PING_EVERY):
            if self._stopped.is_set() or connection.close_code is not None:
                break
            state = self._renewed(link)
            if state is None:
                reason = "its lease is another's"
                break
            if state is HostState.DRAINING:
                with contextlib.suppress(NotFoundError):
                    self._drain(link.name)
        self._end(link, HostState.LOST, link.reason or reason)

    def _renewed(self, link: HostLink) -> HostState | None:
        try:
            doing = self._doing().get(link.name, {})
            return renew_lease(self._database, link.name, link.fence, LEASE, **doing)
        except SQLAlchemyError:
            # While the database is away the clock stands, and no other host can be given a lease.
            return HostState.JOINED

    def _end(self, link: HostLink, state: HostState, reason: str) -> None:
        with self._lock:
            if self._links.get(link.name) is not link:
                return
            del self._links[link.name]
        link.close(reason)
        self._detach(link, reason)
        with contextlib.suppress(SQLAlchemyError):
            end_lease(self._database, link.name, link.fence, state, reason)


def _few_at_once(server: Server) -> Callable[[socket.socket, Any], None]:
    """Return the server's handler of connections, which hangs up on more than so many of one address, or in all.

    Each connection takes threads and a descriptor of the server's, before anybody has shown a token.
    """
    handle, lock, present = server.handler, threading.Lock(), Counter[str]()

    def handled(sock: socket.socket, peer: Any) -> None:
        address = str(peer[0])
        with lock:
            room = present[address] < _OF_ADDRESS and present.total() < _IN_ALL
            if room:
                present[address] += 1
        if not room:
            sock.close()
            with server.lock:
                server.handler_threads.discard(threading.current_thread())
            return
        try:
            handle(sock, peer)
        finally:
            with lock:
                present[address] -= 1
                if not present[address]:
                    del present[address]

    return handled


def _refusal(hello: Hello) -> str:
    """Return why a host may not play, '' where it may."""
    if hello.fence:
        return f"lease {hello.fence} is over: end your bots, and join without it"
    if hello.level not in {"A", "B"}:
        return "its bots would not be isolated: `arena doctor` on it says why"
    if hello.runtime != runtime_hash():
        return "it runs another version of Arena, Python or numpy than the server: install the same"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

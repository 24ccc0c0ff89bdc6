"""The program of a host: it connects to the server, plays the seats that it is given, and ends them with its lease."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from arena.engine.live.garbage import gc_paused
from arena.engine.live.host_messages import HostTick, SeasonStart
from arena.engine.live.host_seats import HostSeats
from arena.errors import AuthError, RefusedError
from arena.hosts.link import PING_EVERY, PING_WAIT, read_envelope
from arena.hosts.wire import MAX_MESSAGE, Envelope, Hello, decode, encode
from arena.runtime.version import runtime_hash
from sandbox.pool import Pool

log = logging.getLogger("arena.hosts")

_LONGEST_PAUSE = 30.0  # seconds between two attempts to connect


class HostAgent:
    """Plays for one server until `stop`; after a lost connection it joins again, without the bots that it had."""

    def __init__(
        self, server: str, token: str, pool: Pool, capacity: int, level: str, tls: ssl.SSLContext | None = None
    ) -> None:
        """Prepare; `pool` has been started, and `level` is what its isolation was proved to be."""
        self._server, self._token, self._tls = server, token, tls
        self._pool = pool
        self._hello = Hello(level, runtime_hash(), capacity, 0)
        self._stopped = threading.Event()
        self._connection: ClientConnection | None = None
        self._zygote_died = threading.Event()
        self.joined = threading.Event()

    def zygote_died(self) -> None:
        """Note that the process that workers are forked from has ended; callable from any thread."""
        self._zygote_died.set()

    def zygote_has_died(self) -> bool:
        """Say whether that has been noted, and not been mended."""
        return self._zygote_died.is_set()

    def stop(self) -> None:
        """Leave the server and end; callable from any thread."""
        self._stopped.set()
        connection = self._connection
        if connection is not None:
            connection.close()

    def run(self, on_join: Callable[[], None] = lambda: None) -> None:
        """Play; AuthError and RefusedError where the server will not have this host at all."""
        pause = 0.5
        while not self._stopped.is_set():
            try:
                with self._connected() as connection:
                    self._connection = connection
                    fence = self._join(connection)
                    self.joined.set()
                    on_join()
                    pause = 0.5
                    self._play(connection, fence)
            except InvalidStatus as error:
                if error.response.status_code == 401:
                    raise AuthError(
                        "The server does not know this host's token: `arena hosts add NAME` makes one."
                    ) from None
                log.warning("The server answers with status %d", error.response.status_code)
            except (WebSocketException, OSError, TimeoutError, ValueError) as error:
                log.warning("Not connected to %s: %s", self._server, error)
            finally:
                self.joined.clear()
                self._connection = None
            if self._stopped.wait(pause):
                return
            pause = min(2.0 * pause, _LONGEST_PAUSE)

    def _connected(self) -> ClientConnection:
        return connect(
            self._server, ssl=self._tls, compression=None, max_size=MAX_MESSAGE, ping_interval=PING_EVERY,
            ping_timeout=PING_WAIT, close_timeout=1.0, proxy=None,
            additional_headers={"Authorization": f"Bearer {self._token}"},
        )  # fmt: skip

    def _join(self, connection: ClientConnection) -> int:
        connection.send(encode(Envelope("hello", 0, encode(self._hello))))
        answer = read_envelope(connection.recv(timeout=PING_WAIT))
        if answer.kind == "refused":
            raise RefusedError(f"The server does not take this host: {answer.content.decode('utf-8', 'replace')}.")
        return answer.fence

    def _play(self, connection: ClientConnection, fence: int) -> None:
        """Play what the server sends; every worker ends with the connection."""
        seats: HostSeats | None = None
        try:
            for data in connection:
                message = read_envelope(data)
                if message.kind == "season":
                    if seats is not None:
                        seats.end()
                    seats = HostSeats(self._pool, decode(message.content, SeasonStart))
                elif message.kind == "tick" and seats is not None:
                    self._revive_if_lost()
                    with gc_paused():
                        connection.send(encode(Envelope("result", fence, _played(seats, message.content))))
                else:
                    raise ValueError(f"the server sent {message.kind[:20]!r} out of turn")
        except ConnectionClosed as error:
            log.warning("The connection to %s has ended: %s", self._server, error)
        finally:
            if seats is not None:
                seats.end()

    def _revive_if_lost(self) -> None:
        if self._zygote_died.is_set():
            self._zygote_died.clear()
            self._pool.restart_zygote()


def _played(seats: HostSeats, tick: bytes) -> bytes:
    return encode(seats.play(decode(tick, HostTick)))

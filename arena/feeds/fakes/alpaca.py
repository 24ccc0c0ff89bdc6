"""An Alpaca on 127.0.0.1: the market data streams of stocks and crypto and the last prices on one port.

    async with FakeAlpaca() as fake:
        feed = AlpacaFeed(["AAPL"], fake.key, fake.secret, ws_url=fake.url, base_url=fake.rest_url)
        await fake.subscribed("AAPL")
        await fake.trade("AAPL", 187.5)

It says nothing by itself: whoever drives it sends each message. Logins by message and by header,
limits, encodings and replies are as the venue documents them; each misbehaviour is a method or switch.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from arena.feeds.alpaca.codec import CONTENT_TYPES, decode, encode
from arena.feeds.fakes import alpaca_messages as messages
from arena.feeds.fakes.alpaca_board import Board, Message
from arena.feeds.fakes.alpaca_rest import PATHS as REST_PATHS
from arena.feeds.fakes.alpaca_rest import RestSide
from arena.feeds.fakes.alpaca_session import FINAL, Session, error

_PATHS = re.compile(r"/v2/(iex|sip|delayed_sip|test)|/v1beta3/crypto/(us|us-1|eu-1)")


class FakeAlpaca:
    """One venue with one account; use it as an asynchronous context manager.

    `connection_limit` counts logins of an endpoint, `symbol_limit` trades and quotes of a connection.
    `mute` keeps connections open and silent; `twice` sends every data message twice, `swapped` each
    pair of them in the wrong order; `drip` is the pause after every byte of a data frame; `lacks` has
    the channels that may not be subscribed, each with its error. `rest` is the REST side; `requests`
    and `paths` are the streams' alone.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str = "a-key-id",
        secret: str = "a-secret",  # noqa: S107 - of an account that exists here only
        connection_limit: int = 1,
        symbol_limit: int | None = 30,
        rest_limit: int = 200,
        auth_timeout: float = 10.0,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.key, self.secret = key, secret
        self.connection_limit, self.symbol_limit = connection_limit, symbol_limit
        self.mute = self.twice = self.swapped = False
        self.drip = 0.0
        self.lacks: dict[str, int] = {}
        self.attempts = 0
        self.paths: list[str] = []
        self.requests: list[object] = []
        self._port = port
        self._auth_timeout = auth_timeout
        self._clock_ns = clock_ns
        self._sessions: dict[ServerConnection, Session] = {}
        self._changed = asyncio.Condition()
        self._refusals: list[int] = []
        self._login_errors: list[int] = []
        self._held: list[Message] = []
        self._board = Board()
        self.rest = RestSide(self._board, key, secret, clock_ns, rest_limit)
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", self._port, process_request=self._greet_http, close_timeout=1.0
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    # -- what a driver may ask and wait for -------------------------------------------------------

    @property
    def url(self) -> str:
        """The `ws_url` for a connector; the official client wants `/v2/iex` behind it."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def rest_url(self) -> str:
        """The `base_url` for a connector."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._sessions)

    async def connected(self, count: int) -> None:
        """Wait until exactly `count` connections are open."""
        await self._until(lambda: len(self._sessions) == count)

    async def attempted(self, count: int) -> None:
        """Wait until at least `count` handshakes have been asked for, refused ones included."""
        await self._until(lambda: self.attempts >= count)

    async def asked(self, count: int) -> None:
        """Wait until at least `count` questions have come to the REST side."""
        await self._until(lambda: len(self.rest.asked) >= count)

    async def subscribed(self, symbol: str, kind: str = "t") -> None:
        """Wait until some connection wants the messages of a kind, named by their T, of a symbol."""
        wanted = {"T": kind, "S": symbol}
        await self._until(lambda: any(session.wants(wanted) for session in self._sessions.values()))

    # -- data -------------------------------------------------------------------------------------

    async def trade(
        self, symbol: str, price: float, *, trade_id: int | None = None, moment: int | None = None, **more: object
    ) -> int:
        """Send one trade and return its id; `more` replaces fields."""
        made = self._board.trade(symbol, price, trade_id, self._moment(moment), **more)
        await self.publish(made)
        return int(made["i"])

    async def correct(self, symbol: str, trade_id: int, price: float) -> int:
        """Correct a trade that was sent and return the id of what stands in its place."""
        made = self._board.correct(symbol, trade_id, price, self._moment(None))
        await self.publish(made)
        return int(made["ci"])

    async def cancel(self, symbol: str, trade_id: int) -> None:
        """Cancel a trade that was sent."""
        await self.publish(self._board.cancel(symbol, trade_id, self._moment(None)))

    async def quote(self, symbol: str, bid: float, ask: float, *, moment: int | None = None) -> None:
        """Send one quote."""
        await self.publish(self._board.quote(symbol, bid, ask, self._moment(moment)))

    async def bar(self, symbol: str, close: float, *, opened: int) -> None:
        """Send one minute bar."""
        await self.publish(self._board.bar(symbol, close, opened))

    async def status(
        self, symbol: str, code: str = "H", words: str = "Trading Halt", *, moment: int | None = None
    ) -> None:
        """Send a trading status."""
        await self.publish(messages.status(symbol, code, words, self._moment(moment)))

    async def publish(self, *data: Message) -> None:
        """Send data messages, in one array, to the connections that want them; `t` in nanoseconds."""
        batch = list(data) * (2 if self.twice else 1)
        if self.swapped:
            self._held += batch
            batch, self._held = (self._held[::-1], []) if len(self._held) > 1 else ([], self._held)
        if self.mute:
            return
        for connection, session in list(self._sessions.items()):
            wanted = [session.stamped(message) for message in batch if session.wants(message)]
            if wanted:
                await self._send(connection, session, encode(wanted, session.encoding))

    # -- misbehaviour -----------------------------------------------------------------------------

    async def error(self, code: int) -> None:
        """Send an error to every connection."""
        for connection, session in list(self._sessions.items()):
            await self._send(connection, session, encode([error(code)], session.encoding))

    async def say(self, payload: str | bytes) -> None:
        """Send anything, proper or not, to every connection."""
        for connection, session in list(self._sessions.items()):
            await self._send(connection, session, payload)

    async def hang_up(self, code: int = 1000) -> None:
        """Close every connection politely."""
        for connection in list(self._sessions):
            await connection.close(code)

    def cut(self) -> None:
        """Drop every connection in the middle of a frame."""
        for connection in list(self._sessions):
            # A text frame that promises 256 bytes and brings nine.
            # It may be closing by itself at this moment.
            with contextlib.suppress(RuntimeError):
                connection.transport.write(b'\x81\x7e\x01\x00[{"T":"t"')
            connection.transport.close()

    def refuse(self, status: int, *, times: int = 1) -> None:
        """Answer the next handshakes with an HTTP error."""
        self._refusals += [status] * times

    def refuse_login(self, code: int, *, times: int = 1) -> None:
        """Answer the next logins with an error."""
        self._login_errors += [code] * times

    # -- the server -------------------------------------------------------------------------------

    async def _greet_http(self, connection: ServerConnection, request: Request) -> Response | None:
        async with self._changed:
            self._changed.notify_all()
            if REST_PATHS.fullmatch(urlsplit(request.path).path):
                return self.rest.answer(request.path, request.headers)
            self.attempts += 1
            self.paths.append(request.path)
        if self._refusals:
            return connection.respond(self._refusals.pop(0), "Refused\n")
        return None if _PATHS.fullmatch(urlsplit(request.path).path) else connection.respond(404, "Not found\n")

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        path, headers = connection.request.path, connection.request.headers
        packed = headers.get("Content-Type") == CONTENT_TYPES["msgpack"]
        crypto = "/crypto/" in path
        session = Session("msgpack" if packed else "json", lambda *pair: self._admit(path, *pair), crypto=crypto)
        async with self._changed:
            self._sessions[connection] = session
            self._changed.notify_all()
        try:
            await self._reply(connection, session, {"T": "success", "msg": "connected"})
            if "APCA-API-KEY-ID" in headers:
                answer = session.log_in(headers["APCA-API-KEY-ID"], headers.get("APCA-API-SECRET-KEY"))
                await self._reply(connection, session, answer)
            await self._converse(connection, session)
        except ConnectionClosed:
            pass  # whatever way the client left
        finally:
            async with self._changed:
                del self._sessions[connection]
                self._changed.notify_all()

    async def _converse(self, connection: ServerConnection, session: Session) -> None:
        end = asyncio.get_running_loop().time() + self._auth_timeout
        while True:
            try:
                async with asyncio.timeout_at(None if session.authenticated else end):
                    payload = await connection.recv(decode=False)
            except TimeoutError:
                await self._reply(connection, session, error(404))
                return
            request = (decode(payload) or [None])[0]
            self.requests.append(request)
            session.symbol_limit, session.lacks = self.symbol_limit, self.lacks
            await self._reply(connection, session, session.answer(request))

    def _admit(self, path: str, key: object, secret: object) -> int | None:
        """Return why a login is refused, None if it is not."""
        if self._login_errors:
            return self._login_errors.pop(0)
        if (key, secret) != (self.key, self.secret):
            return 402
        others = [c for c, s in self._sessions.items() if s.authenticated and c.request and c.request.path == path]
        return 406 if len(others) >= self.connection_limit else None

    async def _reply(self, connection: ServerConnection, session: Session, answer: Message) -> None:
        if not self.mute:
            async with session.line:
                await connection.send(encode([answer], session.encoding))
        if answer.get("code") in FINAL:
            await connection.close(1000)
        async with self._changed:
            self._changed.notify_all()

    async def _send(self, connection: ServerConnection, session: Session, payload: str | bytes) -> None:
        try:
            async with session.line:
                await self._emit(connection, payload)
        except (ConnectionClosed, RuntimeError):
            pass  # it left while the others were being served

    async def _emit(self, connection: ServerConnection, payload: str | bytes) -> None:
        if not self.drip:
            await connection.send(payload)
            return
        for byte in messages.frame(payload):
            connection.transport.write(bytes((byte,)))
            await asyncio.sleep(self.drip)

    async def _until(self, happened: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(happened)

    def _moment(self, moment: int | None) -> int:
        return self._clock_ns() if moment is None else moment

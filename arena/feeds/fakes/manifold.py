"""A Manifold on 127.0.0.1: REST and broadcasts on one port.

    async with FakeManifold() as fake:
        fake.board.list_binary("EvIhzcJXwhL0HavaszD7", "will-it-rain", 0.5)
        feed = ManifoldFeed(["will-it-rain"], base_url=fake.url, ws_url=fake.ws_url)
        await fake.subscribed("contract/EvIhzcJXwhL0HavaszD7/new-bet")
        await fake.tell(fake.board.bet("EvIhzcJXwhL0HavaszD7", 0.6))

It says nothing by itself: whoever drives it changes the board and tells the news, or does not. Who has
not pinged for `patience` seconds is dropped, as the venue does after a minute; each misbehaviour that a
connector must survive is one method or attribute.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from arena.feeds.fakes.manifold_board import Board
from arena.feeds.fakes.manifold_session import Session, broadcast


class FakeManifold:
    """One venue; use it as an asynchronous context manager.

    `mute` leaves all connections and requests open and without an answer; `deaf` only keeps the
    acknowledgements back. `copies` is how often each broadcast is sent. `dripping` sends the bodies of
    REST answers byte by byte, without an end. `requests` are the paths asked for by REST.
    """

    def __init__(self, *, port: int = 0, patience: float = 60.0, clock: Callable[[], float] = time.time) -> None:
        self.board = Board(clock)
        self.mute = self.deaf = self.dripping = False
        self.copies = 1
        self.attempts = 0
        self.requests: list[str] = []
        self._port = port
        self._patience = patience
        self._sessions: dict[ServerConnection, Session] = {}
        self._changed = asyncio.Condition()
        self._rest_refusals: list[tuple[int, str | None]] = []
        self._socket_refusals: list[int] = []
        self._garbled: list[bytes] = []
        self._server: Server
        self._sweeping: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", self._port, process_request=self._answer, open_timeout=None, close_timeout=1.0
        )
        self._port = self._server.sockets[0].getsockname()[1]
        self._sweeping = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sweeping.cancel()
        await self.unmute()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The `base_url` for a connector."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def ws_url(self) -> str:
        """The `ws_url` for a connector."""
        return f"ws://127.0.0.1:{self._port}/ws"

    async def connected(self, count: int) -> None:
        """Wait until exactly `count` connections are open."""
        await self._until(lambda: len(self._sessions) == count)

    async def attempted(self, count: int) -> None:
        """Wait until at least `count` connections have been asked for, refused ones included."""
        await self._until(lambda: self.attempts >= count)

    async def subscribed(self, topic: str) -> None:
        """Wait until some connection wants `topic`."""
        await self._until(lambda: any(session.wants(topic) for session in self._sessions.values()))

    async def pinged(self, count: int) -> None:
        """Wait until some connection has pinged that often."""
        await self._until(lambda: any(session.pings >= count for session in self._sessions.values()))

    async def asked(self, path: str, count: int = 1) -> None:
        """Wait until the paths asked for by REST hold `path` that often."""
        await self._until(lambda: sum(path in asked for asked in self.requests) >= count)

    async def tell(self, news: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Broadcast what a change of the board has caused, each to the connections that want it."""
        for topic, data in news:
            for _ in range(self.copies):
                await self._send(
                    [s for s, session in self._sessions.items() if session.wants(topic)], broadcast(topic, data)
                )

    async def say(self, text: str) -> None:
        """Send any text, proper or not, to every connection."""
        await self._send(list(self._sessions), text)

    async def drip(self, text: str) -> None:
        """Send any text to every connection, a byte in each fragment."""
        for connection in list(self._sessions):
            await connection.send(iter(text))

    async def hang_up(self, code: int = 1011) -> None:
        """Close every connection in an orderly way."""
        for connection in list(self._sessions):
            await connection.close(code)

    def cut(self) -> None:
        """Drop every connection in the middle of a frame."""
        for connection in list(self._sessions):
            # A text frame that promises 256 bytes and brings ten.
            # It may be closing by itself at this moment.
            with contextlib.suppress(RuntimeError):
                connection.transport.write(b'\x81\x7e\x01\x00{"type":"b')
            connection.transport.close()

    def refuse_rest(self, status: int, retry_after: str | None = None, *, times: int = 1) -> None:
        """Answer the next REST requests with an HTTP error."""
        self._rest_refusals += [(status, retry_after)] * times

    def refuse_sockets(self, status: int, *, times: int = 1) -> None:
        """Answer the next handshakes with an HTTP error."""
        self._socket_refusals += [status] * times

    def garble_rest(self, body: bytes, *, times: int = 1) -> None:
        """Answer the next REST requests with these bytes."""
        self._garbled += [body] * times

    async def unmute(self) -> None:
        """Answer again, those who are still waiting as well."""
        self.mute = self.deaf = self.dripping = False
        await self._news()

    async def _sweep(self) -> None:
        """Drop who has not pinged for as long as the venue waits; it looks as rarely."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._patience)
            for connection, session in list(self._sessions.items()):
                if session.last_ping < loop.time() - self._patience:
                    connection.transport.abort()

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse, answer as REST, or return None to let the handshake go on."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self.attempts += 1
            await self._news()
            if self._socket_refusals:
                return _response(self._socket_refusals.pop(0), {})
            return None if urlsplit(request.path).path == "/ws" else _response(404, {})
        self.requests.append(unquote(request.path))
        await self._news()
        await self._until(lambda: not self.mute)
        if self.dripping:
            await self._drip_for_ever(connection)
        if self._rest_refusals:
            status, retry_after = self._rest_refusals.pop(0)
            return _response(status, {"message": "No."}, retry_after)
        if self._garbled:
            return _raw(200, self._garbled.pop(0))
        url = urlsplit(request.path)
        return _response(*self.board.answer(unquote(url.path), parse_qs(url.query)))

    async def _drip_for_ever(self, connection: ServerConnection) -> None:
        connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while self.dripping and not connection.transport.is_closing():
            connection.transport.write(b" ")
            await asyncio.sleep(0.01)

    async def _serve(self, connection: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        session = self._sessions[connection] = Session(loop.time())
        await self._news()
        try:
            async for message in connection:
                reply = session.reply(message, loop.time())
                if not (self.mute or self.deaf):
                    await connection.send(reply)
                await self._news()
        except ConnectionClosed:
            pass  # whatever way the client left
        finally:
            del self._sessions[connection]
            await self._news()

    async def _send(self, connections: Iterable[ServerConnection], text: str) -> None:
        for connection in connections if not self.mute else ():
            try:
                await connection.send(text)
            except ConnectionClosed:
                continue  # it left while the others were being served

    async def _news(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, happened: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(happened)


def _response(status: int, body: object, retry_after: str | None = None) -> Response:
    return _raw(status, orjson.dumps(body), retry_after)


def _raw(status: int, payload: bytes, retry_after: str | None = None) -> Response:
    headers = Headers()
    headers["Content-Type"] = "application/json; charset=utf-8"
    headers["Content-Length"] = str(len(payload))
    headers["Connection"] = "close"
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return Response(status, "Refused" if status >= 400 else "OK", headers, payload)

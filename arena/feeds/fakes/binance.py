"""A Binance Spot on 127.0.0.1: market streams and market-data REST on one port.

    async with FakeBinance() as fake:
        feed = BinanceFeed(["BTCUSDT"], ws_url=fake.url, fallbacks=())
        await fake.connected(1)
        await fake.trade("BTCUSDT", "69000.10")

It says nothing by itself: whoever drives it sends each event, or a whole market. Connections are
served as the venue's documents state, and each misbehaviour a connector must survive is one method.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from arena.feeds.fakes.binance_rest import RestBoard, response
from arena.feeds.fakes.binance_session import MESSAGES_PER_SECOND, Session


class FakeBinance:
    """One venue; use it as an asynchronous context manager.

    `mute` keeps connections open and silent; what happens meanwhile is on the `board`, which holds what
    the REST side answers, while `answering` is set. `ping_interval` and `ping_timeout` are the venue's 20
    and 60 seconds, `life` its 24 hours. `sent` counts events by name, `attempts` the handshakes asked
    for, refused ones included, and `asked` the REST requests by name.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        ping_interval: float | None = 20.0,
        ping_timeout: float = 60.0,
        life: float = 86_400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.mute = False
        self.attempts = 0
        self.asked: Counter[str] = Counter()
        self.answering = asyncio.Event()
        self.answering.set()
        self.sent: Counter[str] = Counter()
        self.board = RestBoard(clock)
        self.paths: list[str] = []
        self._port = port
        self._pings = {"ping_interval": ping_interval, "ping_timeout": ping_timeout}
        self._life = life
        self._clock = clock
        self._sessions: dict[ServerConnection, Session] = {}
        self._changed = asyncio.Condition()
        self._refusals: dict[str, list[tuple[int, str | None]]] = {"socket": [], "rest": []}
        self._last: dict[str, tuple[str, dict[str, Any]]] = {}
        self._ids: Counter[str] = Counter()
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self._port,
            process_request=self._answer,
            close_timeout=1.0,
            **self._pings,  # type: ignore[arg-type]
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.answering.set()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The `ws_url` for a connector."""
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

    async def subscribed(self, stream: str) -> None:
        """Wait until some connection wants `stream`."""
        await self._until(lambda: any(stream in s.streams for s in self._sessions.values()))

    async def trade(
        self,
        symbol: str,
        price: str,
        *,
        trade_id: int | None = None,
        moment: float | None = None,
    ) -> int:
        """Send one trade and return its id; a given id may repeat or go back."""
        payload = self._made(symbol, price, trade_id, moment)
        await self.event(f"{symbol.lower()}@trade", payload)
        return int(payload["t"])

    async def out_of_order(self, symbol: str, prices: Iterable[str]) -> None:
        """Make trades in this order and send them in the opposite one."""
        for payload in reversed([self._made(symbol, price, None, None) for price in prices]):
            await self.event(f"{symbol.lower()}@trade", payload)

    async def again(self, symbol: str) -> None:
        """Send the symbol's last event once more."""
        if symbol in self._last:
            await self.event(*self._last[symbol])

    async def drip(self, symbol: str, price: str, every: float) -> None:
        """Send one trade a byte at a time, `every` so many seconds; on each connection in turn."""
        stream = f"{symbol.lower()}@trade"
        payload = self._made(symbol, price, None, None)
        for connection, session in list(self._sessions.items()):
            if stream in session.streams:
                with suppress(ConnectionClosed):
                    await connection.send(_slowly(session.frame(stream, payload), every))

    def _made(self, symbol: str, price: str, trade_id: int | None, moment: float | None) -> dict[str, Any]:
        """Make a trade: from now on the REST side knows it."""
        if trade_id is None:
            trade_id = self._ids[symbol] + 1
        self._ids[symbol] = max(self._ids[symbol], trade_id)
        made = self._stamp(moment)
        self.board.remember(symbol, trade_id, price, made)
        return {
            "e": "trade", "E": self._stamp(None), "s": symbol, "t": trade_id, "p": price,
            "q": "0.01000000", "T": made, "m": False, "M": True,
        }  # fmt: skip

    async def mini_ticker(self, symbol: str, price: str, *, moment: float | None = None) -> None:
        """Send one mini-ticker."""
        payload = {
            "e": "24hrMiniTicker", "E": self._stamp(moment), "s": symbol, "c": price, "o": price,
            "h": price, "l": price, "v": "10000", "q": "18",
        }  # fmt: skip
        await self.event(f"{symbol.lower()}@miniTicker", payload)

    async def keep_trading(self, market: Iterable[Mapping[str, float]], every: float) -> None:
        """Send one trade of each symbol every `every` seconds, until the market ends."""
        for prices in market:
            for symbol, price in prices.items():
                await self.trade(symbol, f"{price:.8f}")
            await asyncio.sleep(every)

    async def event(self, stream: str, payload: dict[str, Any]) -> None:
        """Send any event to the connections that want `stream`."""
        self.sent[str(payload.get("e"))] += 1
        self._last[str(payload.get("s"))] = stream, payload
        if not self.mute:
            await self._send_each(lambda session: session.frame(stream, payload) if stream in session.streams else "")

    async def announce_shutdown(self) -> None:
        """Tell every connection that this server is about to go."""
        payload = {"e": "serverShutdown", "E": self._stamp(None)}
        await self._send_each(lambda session: session.frame("!serverShutdown", payload))

    async def say(self, text: str) -> None:
        """Send any text, proper or not, to every connection."""
        await self._send_each(lambda _session: text)

    async def hang_up(self, code: int = 1001) -> None:
        """Close every connection politely."""
        for connection in list(self._sessions):
            await connection.close(code)

    def cut(self) -> None:
        """Drop every connection in the middle of a frame."""
        for connection in list(self._sessions):
            # A text frame that promises 256 bytes and brings ten.
            with suppress(RuntimeError):  # it has been closed already
                connection.transport.write(b'\x81\x7e\x01\x00{"e":"trad')
            connection.transport.close()

    def refuse(self, status: int, retry_after: str | None = None, *, times: int = 1) -> None:
        """Answer the next handshakes with an HTTP error."""
        self._refusals["socket"] += [(status, retry_after)] * times

    def refuse_rest(self, status: int, retry_after: str | None = None, *, times: int = 1) -> None:
        """Answer the next REST requests with an HTTP error."""
        self._refusals["rest"] += [(status, retry_after)] * times

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse, answer as REST, or return None to let the handshake go on."""
        url = urlsplit(request.path)
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        await self._note(request.path, url.path, is_socket=is_socket)
        refusals = self._refusals["socket" if is_socket else "rest"]
        if refusals:
            status, retry_after = refusals.pop(0)
            body = {"code": -1003, "msg": "Too many requests."} if status in {418, 429} else {}
            return response(status, body, retry_after)
        if not is_socket:
            await self.answering.wait()
            return response(*self.board.answer(url.path, parse_qs(url.query)))
        if url.path.startswith("/ws") or url.path == "/stream":
            return None
        return connection.respond(404, "Not found\n")

    async def _note(self, path: str, place: str, *, is_socket: bool) -> None:
        async with self._changed:
            if is_socket:
                self.attempts += 1
                self.paths.append(path)
            else:
                self.asked[place.rpartition("/")[2]] += 1
            self._changed.notify_all()

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        url = urlsplit(connection.request.path)
        query = parse_qs(url.query)
        combined = url.path == "/stream"
        asked = query.get("streams", [""])[0] if combined else unquote(url.path)[len("/ws") :]
        streams = [name for name in asked.split("/") if name]
        micro = query.get("timeUnit", [""])[0].upper() == "MICROSECOND"
        session = Session(streams, combined=combined, microseconds=micro)
        await self._enter(connection, session)
        try:
            async with asyncio.timeout(self._life):
                await self._converse(connection, session)
        except TimeoutError:
            await connection.close(1001, "24 hours are over")
        except ConnectionClosed:
            pass  # whatever way the client left
        finally:
            async with self._changed:
                del self._sessions[connection]
                self._changed.notify_all()

    async def _converse(self, connection: ServerConnection, session: Session) -> None:
        loop = asyncio.get_running_loop()
        async for message in connection:
            if session.too_fast(loop.time()):
                await connection.close(1008, f"over {MESSAGES_PER_SECOND} messages a second")
                return
            await connection.send(session.reply(message))
            async with self._changed:
                self._changed.notify_all()

    async def _enter(self, connection: ServerConnection, session: Session) -> None:
        async with self._changed:
            self._sessions[connection] = session
            self._changed.notify_all()

    async def _until(self, happened: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(happened)

    async def _send_each(self, text_for: Callable[[Session], str]) -> None:
        for connection, session in list(self._sessions.items()):
            if text := text_for(session):
                try:
                    await connection.send(text)
                except ConnectionClosed:
                    continue  # it left while the others were being served

    def _stamp(self, moment: float | None) -> int:
        return round((self._clock() if moment is None else moment) * 1000)


async def _slowly(text: str, every: float) -> AsyncIterator[str]:
    for letter in text:
        yield letter
        await asyncio.sleep(every)

"""A fake Binance Spot: market streams and market-data REST on one port of 127.0.0.1.

    async with FakeBinance() as fake:
        feed = BinanceFeed(["BTCUSDT"], ws_url=fake.url, fallbacks=())
        await fake.connected(1)
        await fake.trade("BTCUSDT", "69000.10")

It sends nothing by itself: a test sends each event, or BinanceSimulation a whole market. It follows the venue's
documents, and each fault that a connector must survive is one method.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from arena.feeds.binance.feed import BinanceFeed, BinanceTiming
from arena.feeds.binance.parser import BinanceParser
from arena.feeds.fakes.binance_protocol import MESSAGES_PER_SECOND, FakeBinanceMarket, FakeBinanceSession
from arena.feeds.fakes.simulation import Fault, PriceWalk, VenueSimulation
from arena.feeds.fakes.websocket_server import WebSocketFake, http_response

_TIMING = BinanceTiming(
    open_timeout=2.0, silence=0.5, first_delay=0.02, max_delay=0.2, spacing=0.02, rest=0.5, warning_interval=0.0
)
_GARBAGE = ('{"e":"trade"', "[]", '{"e":"trade","s":"BTCUSDT","t":"1","p":"x","T":1}', "\0" * 100)


class FakeBinance(WebSocketFake[FakeBinanceSession]):
    """One venue; use it as an asynchronous context manager.

    `mute` keeps connections open and silent; REST responses come from the `market`, which knows the trades
    made meanwhile too, and wait while `answering` is not set. `ping_interval` and `ping_timeout` are the
    venue's 20 and 60 seconds, `max_age` its 24 hours. `sent` counts events by name, `rest_requests` REST
    requests by name.
    """

    close_code = 1001

    def __init__(
        self,
        *,
        port: int = 0,
        ping_interval: float | None = 20.0,
        ping_timeout: float = 60.0,
        max_age: float = 86_400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port, ping_interval=ping_interval, ping_timeout=ping_timeout)
        self.mute = False
        self.rest_requests: Counter[str] = Counter()
        self.answering = asyncio.Event()
        self.answering.set()
        self.sent: Counter[str] = Counter()
        self.market = FakeBinanceMarket(clock)
        self.paths: list[str] = []
        self._max_age = max_age
        self._clock = clock
        self._refusals: dict[str, list[tuple[int, str | None]]] = {"socket": [], "rest": []}
        self._last: dict[str, tuple[str, dict[str, Any]]] = {}
        self._ids: Counter[str] = Counter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answering.set()
        await super().__aexit__(kind, error, trace)

    async def subscribed(self, stream: str) -> None:
        """Wait until some connection wants `stream`."""
        await self.until(lambda: any(stream in s.streams for s in self.sessions.values()))

    async def trade(
        self,
        symbol: str,
        price: str,
        *,
        trade_id: int | None = None,
        moment: float | None = None,
    ) -> int:
        """Send one trade and return its id; a given id may repeat or go back."""
        payload = self._make_trade(symbol, price, trade_id, moment)
        await self.event(f"{symbol.lower()}@trade", payload)
        return int(payload["t"])

    async def out_of_order(self, symbol: str, prices: Iterable[str]) -> None:
        """Make trades in this order and send them in reverse."""
        for payload in reversed([self._make_trade(symbol, price, None, None) for price in prices]):
            await self.event(f"{symbol.lower()}@trade", payload)

    async def again(self, symbol: str) -> None:
        """Send the symbol's last event again."""
        if symbol in self._last:
            await self.event(*self._last[symbol])

    async def drip(self, symbol: str, price: str, every: float) -> None:
        """Send one trade a byte at a time, with `every` seconds between; on each connection in turn."""
        stream = f"{symbol.lower()}@trade"
        payload = self._make_trade(symbol, price, None, None)
        for connection, session in list(self.sessions.items()):
            if stream in session.streams:
                with suppress(ConnectionClosed):
                    await connection.send(_slowly(session.frame(stream, payload), every))

    def _make_trade(self, symbol: str, price: str, trade_id: int | None, moment: float | None) -> dict[str, Any]:
        """Make a trade and add it to the REST side."""
        if trade_id is None:
            trade_id = self._ids[symbol] + 1
        self._ids[symbol] = max(self._ids[symbol], trade_id)
        made = self._stamp(moment)
        self.market.remember(symbol, trade_id, price, made)
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
        """Announce to every connection that this server shuts down."""
        payload = {"e": "serverShutdown", "E": self._stamp(None)}
        await self._send_each(lambda session: session.frame("!serverShutdown", payload))

    async def send_raw(self, text: str) -> None:
        """Send any text, valid or not, to every connection."""
        await self._send_each(lambda _session: text)

    def refuse(self, status: int, retry_after: str | None = None, *, times: int = 1) -> None:
        """Answer the next handshakes with an HTTP error."""
        self._refusals["socket"] += [(status, retry_after)] * times

    def refuse_rest(self, status: int, retry_after: str | None = None, *, times: int = 1) -> None:
        """Answer the next REST requests with an HTTP error."""
        self._refusals["rest"] += [(status, retry_after)] * times

    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse, answer as REST, or return None to let the handshake go on."""
        url = urlsplit(request.path)
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        await self._count_request(request.path, url.path, is_socket=is_socket)
        refusals = self._refusals["socket" if is_socket else "rest"]
        if refusals:
            status, retry_after = refusals.pop(0)
            body = {"code": -1003, "msg": "Too many requests."} if status in {418, 429} else {}
            return http_response(status, body, retry_after, X_MBX_USED_WEIGHT_1M="2")
        if not is_socket:
            await self.answering.wait()
            return http_response(*self.market.answer(url.path, parse_qs(url.query)), X_MBX_USED_WEIGHT_1M="2")
        if url.path.startswith("/ws") or url.path == "/stream":
            return None
        return connection.respond(404, "Not found\n")

    async def _count_request(self, path: str, place: str, *, is_socket: bool) -> None:
        if is_socket:
            self.attempts += 1
            self.paths.append(path)
        else:
            self.rest_requests[place.rpartition("/")[2]] += 1
        await self.changed()

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        url = urlsplit(connection.request.path)
        query = parse_qs(url.query)
        combined = url.path == "/stream"
        asked = query.get("streams", [""])[0] if combined else unquote(url.path)[len("/ws") :]
        streams = [name for name in asked.split("/") if name]
        micro = query.get("timeUnit", [""])[0].upper() == "MICROSECOND"
        session = FakeBinanceSession(streams, combined=combined, microseconds=micro)
        self.sessions[connection] = session
        await self.changed()
        try:
            async with asyncio.timeout(self._max_age):
                await self._converse(connection, session)
        except TimeoutError:
            await connection.close(1001, "24 hours are over")
        except ConnectionClosed:
            pass  # whatever way the client left
        finally:
            del self.sessions[connection]
            await self.changed()

    async def _converse(self, connection: ServerConnection, session: FakeBinanceSession) -> None:
        loop = asyncio.get_running_loop()
        async for message in connection:
            if session.too_fast(loop.time()):
                await connection.close(1008, f"over {MESSAGES_PER_SECOND} messages a second")
                return
            await connection.send(session.reply(message))
            await self.changed()

    async def _send_each(self, text_for: Callable[[FakeBinanceSession], str]) -> None:
        for connection, session in list(self.sessions.items()):
            if text := text_for(session):
                try:
                    await connection.send(text)
                except ConnectionClosed:
                    continue  # it left while the others were being served

    def _stamp(self, moment: float | None) -> int:
        return round((self._clock() if moment is None else moment) * 1000)


class BinanceSimulation(VenueSimulation):
    """A fake Binance whose prices are a walk."""

    name = "binance"
    lasting = frozenset({"mute", "REST down"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeBinance(port=port)
        self.fake.market.list_symbols(*symbols)
        super().__init__(self.fake, PriceWalk(symbols, seed))
        self._symbols = tuple(symbols)
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self._cut, "close": self.fake.hang_up, "mute": self.mute,
            "garbage": self._garbage, "unknown event": self._unknown, "repeat": self._repeat,
            "wrong order": self._wrong_order, "slow drip": self._drip, "shutdown notice": self._shut_down,
            "HTTP 503": self._unavailable, "HTTP 429": self._too_many, "REST down": self._rest_down,
        }  # fmt: skip

    def settings(self) -> dict[str, str]:
        """Return the settings that point an arena here."""
        return {
            "FEED": "binance",
            "DATA_SOURCES__BINANCE__SYMBOLS": orjson.dumps(self._symbols).decode(),
            "DATA_SOURCES__BINANCE__WS_URL": self.fake.url,
            "DATA_SOURCES__BINANCE__BASE_URL": self.fake.rest_url,
        }

    def connector(self) -> BinanceFeed:
        """Return the live feed, with short delays."""
        return BinanceFeed(self._symbols, self.fake.url, (), base_url=self.fake.rest_url, timing=_TIMING)

    def parser(self) -> BinanceParser:
        """Return a new parser of what the connector receives."""
        return BinanceParser(self._symbols)

    async def subscribed(self) -> None:
        """Wait until a connection wants the trades of every symbol."""
        for symbol in self._symbols:
            await self.fake.subscribed(f"{symbol.lower()}@trade")

    async def publish(self, symbol: str) -> float:
        """Send a trade at the next price, and return the price."""
        price = self.walk.next(symbol)
        await self.fake.trade(symbol, f"{price:.8f}")
        return price

    async def mute(self) -> None:
        """Leave the connections open and send nothing more."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Send and answer again."""
        self.fake.mute = False
        self.fake.answering.set()

    async def refuse_for_good(self) -> None:
        """Refuse this location from now on."""
        self.fake.refuse(451, times=99)
        self.fake.cut()

    async def _cut(self) -> None:
        self.fake.cut()

    async def _garbage(self) -> None:
        for text in _GARBAGE:
            await self.fake.send_raw(text)

    async def _unknown(self) -> None:
        for symbol in self._symbols:
            event = {"e": "referencePrice", "E": 1, "s": symbol, "p": "1.00"}
            await self.fake.event(f"{symbol.lower()}@trade", event)

    async def _repeat(self) -> None:
        for symbol in self._symbols:
            await self.fake.again(symbol)

    async def _wrong_order(self) -> None:
        for symbol in self._symbols:
            await self.fake.out_of_order(symbol, [f"{self.walk.next(symbol):.8f}" for _ in range(3)])

    async def _drip(self) -> None:
        symbol = self._symbols[0]
        await self.fake.drip(symbol, f"{self.walk.next(symbol):.8f}", every=0.001)

    async def _shut_down(self) -> None:
        await self.fake.announce_shutdown()

    async def _unavailable(self) -> None:
        self.fake.refuse(503, times=2)
        self.fake.cut()

    async def _too_many(self) -> None:
        self.fake.refuse(429, retry_after="1")
        await self.fake.hang_up()

    async def _rest_down(self) -> None:
        self.fake.answering.clear()
        self.fake.cut()


async def _slowly(text: str, every: float) -> AsyncIterator[str]:
    for letter in text:
        yield letter
        await asyncio.sleep(every)

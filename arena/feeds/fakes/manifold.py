"""A fake Manifold: REST and broadcasts on one port of 127.0.0.1.

    async with FakeManifold() as fake:
        fake.markets.list_binary("EvIhzcJXwhL0HavaszD7", "will-it-rain", 0.5)
        feed = ManifoldFeed(["will-it-rain"], base_url=fake.rest_url, ws_url=fake.url)
        await fake.subscribed("contract/EvIhzcJXwhL0HavaszD7/new-bet")
        await fake.broadcast(fake.markets.bet("EvIhzcJXwhL0HavaszD7", 0.6))

It sends nothing by itself: a test changes the markets and broadcasts the changes, or does not. A client that has
not pinged for `ping_timeout` seconds is dropped, as the venue does after a minute. Each fault that a connector
must survive is one method or attribute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from arena.feeds.fakes.manifold_protocol import FakeManifoldMarkets, FakeManifoldSession, broadcast
from arena.feeds.fakes.simulation import Fault, ProbabilityWalk, VenueSimulation
from arena.feeds.fakes.websocket_server import WebSocketFake, http_response
from arena.feeds.manifold.feed import ManifoldFeed, ManifoldTiming
from arena.feeds.manifold.parser import ManifoldParser

_TIMING = ManifoldTiming(
    open_timeout=2.0, request_timeout=0.5, ack_timeout=0.3, ping_every=0.1, first_delay=0.02, max_delay=0.2,
    warning_interval=0.0,
)  # fmt: skip
_POLL_SECONDS = 0.2
_GARBAGE = (
    '{"type":"broad',
    "[]",
    '{"type":"broadcast","topic":7,"data":[1]}',
    '{"type":"ack","txid":"x"}',
    "\0" * 100,
)


class FakeManifold(WebSocketFake[FakeManifoldSession]):
    """One venue; use it as an asynchronous context manager.

    `mute` leaves all connections and requests without an answer; `deaf` withholds only acknowledgements.
    `copies` is how often each broadcast is sent. `dripping` sends the bodies of REST responses byte by byte,
    without an end. `requests` are the paths requested by REST.
    """

    close_code = 1011

    def __init__(self, *, port: int = 0, ping_timeout: float = 60.0, clock: Callable[[], float] = time.time) -> None:
        super().__init__(port=port, open_timeout=None)
        self.markets = FakeManifoldMarkets(clock)
        self.mute = self.deaf = self.dripping = False
        self.copies = 1
        self.requests: list[str] = []
        self._ping_timeout = ping_timeout
        self._rest_refusals: list[tuple[int, str | None]] = []
        self._socket_refusals: list[int] = []
        self._garbled: list[bytes] = []
        self._dropping: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._dropping = asyncio.create_task(self._drop_silent_clients())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dropping.cancel()
        await self.unmute()
        await super().__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        """The `ws_url` for a connector."""
        return f"{super().url}/ws"

    async def subscribed(self, topic: str) -> None:
        """Wait until some connection wants `topic`."""
        await self.until(lambda: any(session.wants(topic) for session in self.sessions.values()))

    async def pinged(self, count: int) -> None:
        """Wait until some connection has pinged that often."""
        await self.until(lambda: any(session.pings >= count for session in self.sessions.values()))

    async def requested(self, path: str, count: int = 1) -> None:
        """Wait until the paths requested by REST contain `path` that often."""
        await self.until(lambda: sum(path in asked for asked in self.requests) >= count)

    async def broadcast(self, news: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Send the broadcasts of a change of the markets to the connections that want them."""
        for topic, data in news:
            for _ in range(self.copies):
                await self._send(
                    [s for s, session in self.sessions.items() if session.wants(topic)], broadcast(topic, data)
                )

    async def send_raw(self, text: str) -> None:
        """Send any text, valid or not, to every connection."""
        await self._send(list(self.sessions), text)

    async def drip(self, text: str) -> None:
        """Send any text to every connection, one byte a fragment."""
        for connection in list(self.sessions):
            await connection.send(iter(text))

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
        """Answer again, waiting requests included."""
        self.mute = self.deaf = self.dripping = False
        await self.changed()

    async def _drop_silent_clients(self) -> None:
        """Drop clients that have not pinged in time, by a look every `ping_timeout` seconds."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._ping_timeout)
            for connection, session in list(self.sessions.items()):
                if session.last_ping < loop.time() - self._ping_timeout:
                    connection.transport.abort()

    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse, answer as REST, or return None to let the handshake go on."""
        if request.headers.get("Upgrade", "").lower() == "websocket":
            self.attempts += 1
            await self.changed()
            if self._socket_refusals:
                return http_response(self._socket_refusals.pop(0), {})
            return None if urlsplit(request.path).path == "/ws" else http_response(404, {})
        self.requests.append(unquote(request.path))
        await self.changed()
        await self.until(lambda: not self.mute)
        if self.dripping:
            await self._drip_forever(connection)
        if self._rest_refusals:
            status, retry_after = self._rest_refusals.pop(0)
            return http_response(status, {"message": "No."}, retry_after)
        if self._garbled:
            return http_response(200, self._garbled.pop(0))
        url = urlsplit(request.path)
        return http_response(*self.markets.answer(unquote(url.path), parse_qs(url.query)))

    async def _drip_forever(self, connection: ServerConnection) -> None:
        connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while self.dripping and not connection.transport.is_closing():
            connection.transport.write(b" ")
            await asyncio.sleep(0.01)

    async def _serve(self, connection: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        session = self.sessions[connection] = FakeManifoldSession(loop.time())
        await self.changed()
        try:
            async for message in connection:
                reply = session.reply(message, loop.time())
                if not (self.mute or self.deaf):
                    await connection.send(reply)
                await self.changed()
        except ConnectionClosed:
            pass  # whatever way the client left
        finally:
            del self.sessions[connection]
            await self.changed()

    async def _send(self, connections: Iterable[ServerConnection], text: str) -> None:
        for connection in connections if not self.mute else ():
            try:
                await connection.send(text)
            except ConnectionClosed:
                continue  # it left while the others were being served


class ManifoldSimulation(VenueSimulation):
    """A fake Manifold whose probabilities are a walk; each symbol is the slug of a yes/no market."""

    name = "manifold"
    lasting = frozenset({"mute", "no acknowledgements", "slow drip"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeManifold(port=port)
        super().__init__(self.fake, ProbabilityWalk(symbols, seed))
        self._ids = {symbol: f"id{number:010d}" for number, symbol in enumerate(symbols)}
        for symbol, market_id in self._ids.items():
            self.fake.markets.list_binary(market_id, symbol, self.walk.next(symbol))
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self._cut, "close": self.fake.hang_up, "mute": self.mute,
            "garbage": self._garbage, "unknown topic": self._unknown, "repeat": self._repeat,
            "wrong order": self._wrong_order, "slow drip": self._drip, "no acknowledgements": self._go_deaf,
            "wrong JSON": self._wrong_json, "HTTP 404": self._not_found, "HTTP 429": self._too_many,
            "HTTP 500": self._unavailable, "sockets refused": self._refuse_sockets,
        }  # fmt: skip

    def settings(self) -> dict[str, str]:
        """Return the settings that point an arena here."""
        return {
            "FEED": "manifold",
            "DATA_SOURCES__MANIFOLD__MARKETS": orjson.dumps(list(self._ids)).decode(),
            "DATA_SOURCES__MANIFOLD__WS_URL": self.fake.url,
            "DATA_SOURCES__MANIFOLD__BASE_URL": self.fake.rest_url,
        }

    def connector(self) -> ManifoldFeed:
        """Return the live feed, with short delays."""
        return ManifoldFeed(list(self._ids), _POLL_SECONDS, self.fake.rest_url, self.fake.url, timing=_TIMING)

    def parser(self) -> ManifoldParser:
        """Return a new parser of what the connector receives."""
        return ManifoldParser(self._ids)

    async def subscribed(self) -> None:
        """Wait until a connection wants the bets on every market."""
        for market_id in self._ids.values():
            await self.fake.subscribed(f"contract/{market_id}/new-bet")

    async def publish(self, symbol: str) -> float:
        """Make a bet that moves the market to the next price, and return the price."""
        price = self.walk.next(symbol)
        await self.fake.broadcast(self.fake.markets.bet(self._ids[symbol], price))
        return price

    async def mute(self) -> None:
        """Leave everything open and send nothing more."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Send and answer again."""
        await self.fake.unmute()

    async def refuse_for_good(self) -> None:
        """Refuse this location from now on."""
        self.fake.refuse_rest(451, times=99)
        self.fake.refuse_sockets(451, times=99)

    async def _cut(self) -> None:
        self.fake.cut()

    async def _garbage(self) -> None:
        for text in _GARBAGE:
            await self.fake.send_raw(text)

    async def _unknown(self) -> None:
        await self.fake.send_raw('{"type":"broadcast","topic":"contract/x/sports-live","data":{"score":1}}')
        await self.fake.send_raw('{"type":"greeting","text":"hello"}')

    async def _repeat(self) -> None:
        self.fake.copies = 3
        for symbol in self._ids:
            await self.publish(symbol)
        self.fake.copies = 1

    async def _wrong_order(self) -> None:
        for symbol, market_id in self._ids.items():
            now = self.fake.markets.now() / 1000
            older, newer = self.walk.next(symbol), self.walk.next(symbol)
            news = self.fake.markets.bet(market_id, older, moment=now - 0.001)
            await self.fake.broadcast([*self.fake.markets.bet(market_id, newer, moment=now), *news])

    async def _drip(self) -> None:
        self.fake.dripping = True
        self.fake.cut()

    async def _go_deaf(self) -> None:
        self.fake.deaf = True

    async def _wrong_json(self) -> None:
        self.fake.garble_rest(b'{"id":', times=3)
        self.fake.cut()

    async def _not_found(self) -> None:
        self.fake.refuse_rest(404, times=3)
        self.fake.cut()

    async def _too_many(self) -> None:
        self.fake.refuse_rest(429, "1")
        self.fake.cut()

    async def _unavailable(self) -> None:
        self.fake.refuse_rest(500, times=3)
        self.fake.cut()

    async def _refuse_sockets(self) -> None:
        self.fake.refuse_sockets(503, times=2)
        self.fake.cut()

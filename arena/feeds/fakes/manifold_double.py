"""The fake Manifold, driven as all doubles are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import orjson

from arena.feeds.fakes.faults import Fault, Odds
from arena.feeds.fakes.manifold import FakeManifold
from arena.feeds.manifold.feed import ManifoldFeed, Timing
from arena.feeds.manifold.frames import ManifoldParser

_TIMING = Timing(
    open_timeout=2.0, request_timeout=0.5, ack_timeout=0.3, ping_every=0.1, first_delay=0.02, max_delay=0.2,
    complaint_every=0.0,
)  # fmt: skip
_POLL_SECONDS = 0.2
_GARBAGE = (
    '{"type":"broad',
    "[]",
    '{"type":"broadcast","topic":7,"data":[1]}',
    '{"type":"ack","txid":"x"}',
    "\0" * 100,
)


class ManifoldDouble:
    """A Manifold whose probabilities are a walk; each symbol is the slug of a yes/no market."""

    name = "manifold"
    lasting = frozenset({"mute", "no acknowledgements", "slow drip"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeManifold(port=port)
        self.walk = Odds(symbols, seed)
        self._ids = {symbol: f"id{number:010d}" for number, symbol in enumerate(symbols)}
        for symbol, market_id in self._ids.items():
            self.fake.board.list_binary(market_id, symbol, self.walk.next(symbol))
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self.cut, "close": self.fake.hang_up, "mute": self.go_mute,
            "garbage": self.garbage, "unknown topic": self._unknown, "repeat": self._repeat,
            "wrong order": self._wrong_order, "slow drip": self._drip, "no acknowledgements": self._go_deaf,
            "wrong JSON": self._wrong_json, "HTTP 404": self._not_found, "HTTP 429": self._too_many,
            "HTTP 500": self._unavailable, "sockets refused": self._refuse_sockets,
        }  # fmt: skip

    async def __aenter__(self) -> Self:
        await self.fake.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.fake.__aexit__(kind, error, trace)

    def settings(self) -> dict[str, str]:
        """Return the settings that point an arena here."""
        return {
            "FEED": "manifold",
            "DATA_SOURCES__MANIFOLD__MARKETS": orjson.dumps(list(self._ids)).decode(),
            "DATA_SOURCES__MANIFOLD__WS_URL": self.fake.ws_url,
            "DATA_SOURCES__MANIFOLD__BASE_URL": self.fake.url,
        }

    def connector(self) -> ManifoldFeed:
        """Return the connector, with short waits."""
        return ManifoldFeed(list(self._ids), _POLL_SECONDS, self.fake.url, self.fake.ws_url, timing=_TIMING)

    def parser(self) -> ManifoldParser:
        """Return a fresh parser of what the connector is sent."""
        return ManifoldParser(self._ids)

    async def wanted(self) -> None:
        """Wait until a connection wants the bets on every market."""
        for market_id in self._ids.values():
            await self.fake.subscribed(f"contract/{market_id}/new-bet")

    async def publish(self, symbol: str) -> float:
        """Make a bet that moves the market to the next price, and return that."""
        price = self.walk.next(symbol)
        await self.fake.tell(self.fake.board.bet(self._ids[symbol], price))
        return price

    async def go_mute(self) -> None:
        """Leave everything open and say nothing more."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Speak and answer again."""
        await self.fake.unmute()

    async def refuse_for_good(self) -> None:
        """Refuse this location, now and later."""
        self.fake.refuse_rest(451, times=99)
        self.fake.refuse_sockets(451, times=99)

    async def cut(self) -> None:
        """Drop every connection in the middle of a frame."""
        self.fake.cut()

    async def garbage(self) -> None:
        """Send what is no message, or not a proper one."""
        for text in _GARBAGE:
            await self.fake.say(text)

    async def _unknown(self) -> None:
        await self.fake.say('{"type":"broadcast","topic":"contract/x/sports-live","data":{"score":1}}')
        await self.fake.say('{"type":"greeting","text":"hello"}')

    async def _repeat(self) -> None:
        self.fake.copies = 3
        for symbol in self._ids:
            await self.publish(symbol)
        self.fake.copies = 1

    async def _wrong_order(self) -> None:
        for symbol, market_id in self._ids.items():
            now = self.fake.board.now() / 1000
            older, newer = self.walk.next(symbol), self.walk.next(symbol)
            news = self.fake.board.bet(market_id, older, moment=now - 0.001)
            await self.fake.tell([*self.fake.board.bet(market_id, newer, moment=now), *news])

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

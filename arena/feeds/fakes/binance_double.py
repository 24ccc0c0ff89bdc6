"""The fake Binance, driven as all doubles are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import orjson

from arena.feeds.binance.feed import BinanceFeed, Timing
from arena.feeds.binance.frames import BinanceParser
from arena.feeds.fakes.binance import FakeBinance
from arena.feeds.fakes.faults import Fault, Walk

_TIMING = Timing(
    open_timeout=2.0, silence=0.5, first_delay=0.02, max_delay=0.2, spacing=0.02, rest=0.5, complaint_every=0.0
)
_GARBAGE = ('{"e":"trade"', "[]", '{"e":"trade","s":"BTCUSDT","t":"1","p":"x","T":1}', "\0" * 100)


class BinanceDouble:
    """A Binance Spot whose prices are a walk."""

    name = "binance"
    lasting = frozenset({"mute", "REST down"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeBinance(port=port)
        self.fake.board.list_symbols(*symbols)
        self.walk = Walk(symbols, seed)
        self._symbols = tuple(symbols)
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self.cut, "close": self.fake.hang_up, "mute": self.go_mute,
            "garbage": self.garbage, "unknown event": self._unknown, "repeat": self._repeat,
            "wrong order": self._wrong_order, "slow drip": self._drip, "shutdown notice": self._shut_down,
            "HTTP 503": self._unavailable, "HTTP 429": self._too_many, "REST down": self._rest_down,
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
            "FEED": "binance",
            "DATA_SOURCES__BINANCE__SYMBOLS": orjson.dumps(self._symbols).decode(),
            "DATA_SOURCES__BINANCE__WS_URL": self.fake.url,
            "DATA_SOURCES__BINANCE__BASE_URL": self.fake.rest_url,
        }

    def connector(self) -> BinanceFeed:
        """Return the connector, with short waits."""
        return BinanceFeed(self._symbols, self.fake.url, (), base_url=self.fake.rest_url, timing=_TIMING)

    def parser(self) -> BinanceParser:
        """Return a fresh parser of what the connector is sent."""
        return BinanceParser(self._symbols)

    async def wanted(self) -> None:
        """Wait until a connection wants the trades of every symbol."""
        for symbol in self._symbols:
            await self.fake.subscribed(f"{symbol.lower()}@trade")

    async def publish(self, symbol: str) -> float:
        """Send a trade at the next price, and return that."""
        price = self.walk.next(symbol)
        await self.fake.trade(symbol, f"{price:.8f}")
        return price

    async def go_mute(self) -> None:
        """Leave the connections open and say nothing more."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Speak and answer again."""
        self.fake.mute = False
        self.fake.answering.set()

    async def refuse_for_good(self) -> None:
        """Refuse this location, now and later."""
        self.fake.refuse(451, times=99)
        self.fake.cut()

    async def cut(self) -> None:
        """Drop every connection in the middle of a frame."""
        self.fake.cut()

    async def garbage(self) -> None:
        """Send what is no event, or not a proper one."""
        for text in _GARBAGE:
            await self.fake.say(text)

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

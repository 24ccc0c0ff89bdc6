"""The fake StockData.org, driven as all doubles are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

import orjson

from arena.feeds.fakes.faults import Fault, Walk
from arena.feeds.fakes.stockdata import FakeStockData
from arena.feeds.stockdata.budget import NEW_YORK
from arena.feeds.stockdata.feed import StockDataFeed, Timing
from arena.feeds.stockdata.wire import StockDataParser

_TIMING = Timing(
    connect_timeout=1.0, answer_timeout=0.5, first_delay=0.02, max_delay=0.2, rate_window=0.2, nap=0.05
)  # fmt: skip
_TOKEN = "a-token"  # noqa: S105 - of an account that exists here only
_OPEN = datetime(2026, 7, 22, 10, tzinfo=NEW_YORK).timestamp()
_PLENTY = 10**9


class StockDataDouble:
    """A StockData.org whose prices are a walk.

    For its own connector the time is always some morning of a trading day that is long over.
    """

    name = "stockdata"
    lasting = frozenset({"mute"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeStockData(_TOKEN, limit=None, port=port)
        self.walk = Walk(symbols, seed)
        self._symbols = tuple(symbols)
        self._began = time.time()
        self._shifted = False
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self._cut, "close": self._empty, "mute": self.go_mute, "garbage": self._garbage,
            "repeat": self._repeat, "slow drip": self._drip, "HTTP 429": self._too_many, "HTTP 503": self._unavailable,
            "wrong fields": self._wrong_fields,
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
            "FEED": "stockdata",
            "STOCKDATA_API_KEY": _TOKEN,
            "DATA_SOURCES__STOCKDATA__SYMBOLS": orjson.dumps(self._symbols).decode(),
            "DATA_SOURCES__STOCKDATA__POLL_SECONDS": "1",
            "DATA_SOURCES__STOCKDATA__DAILY_REQUESTS": str(_PLENTY),
            "DATA_SOURCES__STOCKDATA__BASE_URL": self.fake.url,
        }

    def connector(self) -> StockDataFeed:
        """Return the connector, with short waits, on a morning when New York trades."""
        self._shifted = True
        for symbol in self._symbols:
            self._quote(symbol, self.walk.next(symbol))
        return StockDataFeed(
            self._symbols, _TOKEN, self.fake.url, poll_seconds=0.05, daily_requests=_PLENTY,
            timing=_TIMING, clock=self._now,
        )  # fmt: skip

    def parser(self) -> StockDataParser:
        """Return a fresh parser of what the connector is sent."""
        return StockDataParser(self._symbols)

    async def wanted(self) -> None:
        """Wait until quotes have been asked for."""
        await self.fake.asked(1)

    async def publish(self, symbol: str) -> float:
        """Set the next price, and return it."""
        price = self.walk.next(symbol)
        self._quote(symbol, price)
        return price

    async def go_mute(self) -> None:
        """Take requests and answer none."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Answer again."""
        self.fake.mute = False

    async def refuse_for_good(self) -> None:
        """Refuse the token, now and later."""
        self.fake.refuse(401, times=99)

    def _now(self) -> float:
        return _OPEN + time.time() - self._began if self._shifted else time.time()

    def _quote(self, symbol: str, price: object) -> None:
        moment = datetime.fromtimestamp(self._now(), NEW_YORK).replace(tzinfo=None)
        self.fake.quote(symbol, price, moment.isoformat(timespec="microseconds"))

    async def _cut(self) -> None:
        self.fake.cut()

    async def _empty(self) -> None:
        self.fake.reply(200, b"")

    async def _garbage(self) -> None:
        for body in (b'{"data":[{"ticker":', b"<html>", [1], {"data": 7}):
            self.fake.reply(200, body)

    async def _repeat(self) -> None:
        """Let the last prices stand for a while: they are answered again and again."""
        await self.fake.asked(self.fake.count + 2)

    async def _wrong_fields(self) -> None:
        self.fake.reply(200, {"meta": {}, "data": [{"ticker": s, "price": "x"} for s in self._symbols]})

    async def _drip(self) -> None:
        self.fake.drip = 0.0002
        await self.fake.asked(self.fake.count + 1)
        self.fake.drip = 0.0

    async def _too_many(self) -> None:
        self.fake.refuse(429)

    async def _unavailable(self) -> None:
        self.fake.refuse(503, times=2)

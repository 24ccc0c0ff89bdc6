"""A fake StockData.org on 127.0.0.1: quotes, its token, its usage limit, and every error it documents.

    async with FakeStockData("a-token") as fake:
        fake.quote("SPY", 512.5, "2026-07-22T15:59:58.000000")
        feed = StockDataFeed(["SPY"], "a-token", fake.url)

A price stays until it is set again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from arena.feeds.fakes.http_server import FakeResponse, HttpFake
from arena.feeds.fakes.simulation import Fault, PriceWalk, VenueSimulation
from arena.feeds.market_hours import NEW_YORK
from arena.feeds.stockdata.feed import StockDataFeed, StockDataTiming
from arena.feeds.stockdata.parser import StockDataParser

ERRORS = {
    400: "malformed_parameters",
    401: "invalid_api_token",
    402: "usage_limit_reached",
    403: "endpoint_access_restricted",
    404: "resource_not_found",
    429: "rate_limit_reached",
    500: "server_error",
    503: "maintenance_mode",
}


_TIMING = StockDataTiming(
    connect_timeout=1.0, answer_timeout=0.5, first_delay=0.02, max_delay=0.2, rate_window=0.2, idle_delay=0.05
)  # fmt: skip
_TOKEN = "a-token"  # noqa: S105 - of an account that exists here only
_OPEN = datetime(2026, 7, 22, 10, tzinfo=NEW_YORK).timestamp()
_PLENTY = 10**9


class FakeStockData(HttpFake):
    """One venue with one token; `used` counts requests up to `limit` a day, None for no limit."""

    def __init__(self, token: str, *, limit: int | None = 100, port: int = 0) -> None:
        super().__init__(port=port)
        self.limit = limit
        self.used = 0
        self._token = token
        self._quotes: dict[str, dict[str, Any]] = {}

    def quote(self, symbol: str, price: object, last_trade_time: object, **fields: object) -> None:
        """Set a quote; any field may be null, wrong or new."""
        self._quotes[symbol] = {
            "ticker": symbol, "name": f"{symbol} Inc", "exchange_short": "NASDAQ",
            "exchange_long": "NASDAQ Stock Exchange", "mic_code": "XNAS", "currency": "USD", "price": price,
            "day_high": None, "day_low": None, "day_open": None, "52_week_high": None, "52_week_low": None,
            "market_cap": None, "previous_close_price": None, "previous_close_price_time": None,
            "day_change": None, "volume": 637333, "is_extended_hours_price": False,
            "last_trade_time": last_trade_time, **fields,
        }  # fmt: skip

    def forget(self, symbol: str) -> None:
        """Remove a symbol."""
        del self._quotes[symbol]

    def refuse(self, status: int, *, times: int = 1) -> None:
        """Answer the next requests with a documented error."""
        self.reply(status, _error(ERRORS[status]), times=times)

    def answer(self, path: str, query: Mapping[str, str]) -> FakeResponse:
        """Return the response to a GET."""
        if query.get("api_token") != self._token:
            return FakeResponse(401, _error(ERRORS[401]))
        if path != "/v1/data/quote":
            return FakeResponse(404, _error("invalid_api_endpoint"))
        asked = [name for name in query.get("symbols", "").split(",") if name]
        if not asked:
            return FakeResponse(400, _error(ERRORS[400]))
        if self.limit is not None and self.used >= self.limit:
            return FakeResponse(402, _error(ERRORS[402]), self._usage())
        self.used += 1
        found = [self._quotes[name] for name in asked if name in self._quotes]
        return FakeResponse(
            200, {"meta": {"requested": len(asked), "returned": len(found)}, "data": found}, self._usage()
        )

    def _usage(self) -> dict[str, str]:
        if self.limit is None:
            return {}
        return {"X-UsageLimit-Limit": str(self.limit), "X-UsageLimit-Remaining": str(self.limit - self.used)}


class StockDataSimulation(VenueSimulation):
    """A fake StockData.org whose prices are a walk.

    Its connector's clock shows a morning of a trading day, so that the market is open.
    """

    name = "stockdata"
    lasting = frozenset({"mute"})

    def __init__(self, symbols: Sequence[str], *, seed: int = 1, port: int = 0) -> None:
        self.fake = FakeStockData(_TOKEN, limit=None, port=port)
        super().__init__(self.fake, PriceWalk(symbols, seed))
        self._symbols = tuple(symbols)
        self._began = time.time()
        self._shifted = False
        self.faults: Mapping[str, Fault] = {
            "cut in mid-frame": self._cut, "close": self._empty, "mute": self.mute, "garbage": self._garbage,
            "repeat": self._repeat, "slow drip": self._drip, "HTTP 429": self._too_many, "HTTP 503": self._unavailable,
            "wrong fields": self._wrong_fields,
        }  # fmt: skip

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
        """Return the live feed, with short delays, on a morning when New York trades."""
        self._shifted = True
        for symbol in self._symbols:
            self._quote(symbol, self.walk.next(symbol))
        return StockDataFeed(
            self._symbols, _TOKEN, self.fake.url, poll_seconds=0.05, daily_requests=_PLENTY,
            timing=_TIMING, clock=self._now,
        )  # fmt: skip

    def parser(self) -> StockDataParser:
        """Return a new parser of what the connector receives."""
        return StockDataParser(self._symbols)

    async def subscribed(self) -> None:
        """Wait until quotes have been requested."""
        await self.fake.requested(1)

    async def publish(self, symbol: str) -> float:
        """Set the next price, and return it."""
        price = self.walk.next(symbol)
        self._quote(symbol, price)
        return price

    async def mute(self) -> None:
        """Take requests and answer none."""
        self.fake.mute = True

    async def restore(self) -> None:
        """Answer again."""
        self.fake.mute = False

    async def refuse_for_good(self) -> None:
        """Refuse the token from now on."""
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
        """Answer with the last prices at least twice more."""
        await self.fake.requested(self.fake.count + 2)

    async def _wrong_fields(self) -> None:
        self.fake.reply(200, {"meta": {}, "data": [{"ticker": s, "price": "x"} for s in self._symbols]})

    async def _drip(self) -> None:
        self.fake.drip = 0.0002
        await self.fake.requested(self.fake.count + 1)
        self.fake.drip = 0.0

    async def _too_many(self) -> None:
        self.fake.refuse(429)

    async def _unavailable(self) -> None:
        self.fake.refuse(503, times=2)


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"This is what {code} looks like."}}

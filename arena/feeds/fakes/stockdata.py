"""A StockData.org on 127.0.0.1: quotes, its token, its usage limit, and every error it documents.

    async with FakeStockData("a-token") as fake:
        fake.quote("SPY", 512.5, "2026-07-22T15:59:58.000000")
        feed = StockDataFeed(["SPY"], "a-token", fake.url)

Prices stand until they are set again; whoever drives it makes the market.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arena.feeds.fakes.stockdata_http import HttpFake, Reply

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


class FakeStockData(HttpFake):
    """One venue with one token; `limit` requests a day are counted in `used`, None means no limit."""

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
        """Make a symbol unknown."""
        del self._quotes[symbol]

    def refuse(self, status: int, *, times: int = 1) -> None:
        """Answer the next requests with a documented error."""
        self.reply(status, _error(ERRORS[status]), times=times)

    def answer(self, path: str, query: Mapping[str, str]) -> Reply:
        """Return what the venue says to a GET."""
        if query.get("api_token") != self._token:
            return Reply(401, _error(ERRORS[401]))
        if path != "/v1/data/quote":
            return Reply(404, _error("invalid_api_endpoint"))
        asked = [name for name in query.get("symbols", "").split(",") if name]
        if not asked:
            return Reply(400, _error(ERRORS[400]))
        if self.limit is not None and self.used >= self.limit:
            return Reply(402, _error(ERRORS[402]), self._usage())
        self.used += 1
        found = [self._quotes[name] for name in asked if name in self._quotes]
        return Reply(200, {"meta": {"requested": len(asked), "returned": len(found)}, "data": found}, self._usage())

    def _usage(self) -> dict[str, str]:
        if self.limit is None:
            return {}
        return {"X-UsageLimit-Limit": str(self.limit), "X-UsageLimit-Remaining": str(self.limit - self.used)}


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"This is what {code} looks like."}}

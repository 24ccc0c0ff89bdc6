"""Parses StockData.org's responses.

Times are New York wall times without a zone. A quote that repeats its last trade is passed on with the old
event time and the new receive time: it confirms the old price.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from arena.feeds.base import PriceUpdate
from arena.feeds.json_values import parse_price
from arena.feeds.market_hours import NEW_YORK
from arena.feeds.retry import ConnectFailure

_CLOCK_TOLERANCE = 60.0

FATAL: Mapping[int, str] = {
    400: "StockData.org finds the request malformed (HTTP 400): check DATA_SOURCES__STOCKDATA__SYMBOLS.",
    401: "StockData.org does not accept the token (HTTP 401): check STOCKDATA_API_KEY.",
    403: "The plan of this StockData.org token does not include quotes (HTTP 403).",
    404: "StockData.org has no quotes at this address (HTTP 404): check DATA_SOURCES__STOCKDATA__BASE_URL.",
}
USED_UP = "StockData.org's requests of this day are used up; it is asked again after midnight UTC."


def status_failure(status: int, rate_window: float) -> ConnectFailure:
    """Return the failure that an HTTP status means, where asking again may help."""
    if status == 402:
        return ConnectFailure(USED_UP)
    if status == 429:
        wait = f"trying again after {rate_window:.0f} s"
        return ConnectFailure(f"StockData.org asks for fewer requests a minute (HTTP 429); {wait}.", rate_window)
    if status >= 500:
        return ConnectFailure(f"StockData.org is out of order (HTTP {status}); asking again.")
    return ConnectFailure(f"StockData.org gave an answer that is no quote (HTTP {status}); asking again.")


def quotes_of(payload: bytes) -> list[dict[str, Any]] | str:
    """Return the quotes of a response, or its kind (errors, garbled) where it has none."""
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return "garbled"
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        return "errors" if isinstance(answer, dict) and "error" in answer else "garbled"
    return [item for item in answer["data"] if isinstance(item, dict)]


def tickers_of(payload: bytes) -> set[str]:
    """Return the symbols in a response, priced or not."""
    quotes = quotes_of(payload)
    return set() if isinstance(quotes, str) else {str(quote.get("ticker")).upper() for quote in quotes}


def event_time_of(stamp: object, receive_time: float) -> float | None:
    """Return a New York wall time as Unix seconds, the receive time for a quote without one.

    The hour that occurs twice in autumn is the second one, unless that lies in the future.
    """
    if stamp is None:
        return receive_time
    try:
        wall = datetime.fromisoformat(stamp)  # type: ignore[arg-type]
        if wall.tzinfo is None:
            wall = wall.replace(tzinfo=NEW_YORK, fold=1)
            if wall.timestamp() > receive_time + _CLOCK_TOLERANCE:
                wall = wall.replace(fold=0)
        moment = wall.timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment > 0 else None


class StockDataParser:
    """Parses responses of `/v1/data/quote`; `symbols` None means all.

    `counts` counts quotes by kind: prices, unchanged (the same trade again), unpriced, bad_prices, bad_times,
    unknown, errors and garbled.
    """

    def __init__(
        self, symbols: Iterable[str] | None = None, name: str = "stockdata", counts: Counter[str] | None = None
    ) -> None:
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._name = name
        self._wanted = None if symbols is None else frozenset(symbols)
        self._newest: dict[str, float] = {}

    def parse(self, payload: bytes, receive_time: float) -> list[PriceUpdate]:
        """Return the prices in a response; never raises, whatever arrives."""
        quotes = quotes_of(payload)
        if isinstance(quotes, str):
            self.counts[quotes] += 1
            return []
        read = (self._read(quote, receive_time) for quote in quotes)
        return [update for update in read if update is not None]

    def _read(self, quote: dict[str, Any], receive_time: float) -> PriceUpdate | None:
        found = self._price(quote, receive_time)
        if isinstance(found, str):
            self.counts[found] += 1
            return None
        self.counts["unchanged" if self._newest.get(found.symbol) == found.event_time else "prices"] += 1
        self._newest[found.symbol] = found.event_time
        return found

    def _price(self, quote: dict[str, Any], receive_time: float) -> PriceUpdate | str:
        """Return the price of a quote, or its kind where it has none."""
        symbol, value = quote.get("ticker"), quote.get("price")
        if not isinstance(symbol, str) or not (self._wanted is None or symbol.upper() in self._wanted):
            return "unknown"
        if value is None:
            return "unpriced"
        price, moment = parse_price(value), event_time_of(quote.get("last_trade_time"), receive_time)
        if price is None:
            return "bad_prices"
        return "bad_times" if moment is None else PriceUpdate(symbol.upper(), price, moment, receive_time, self._name)

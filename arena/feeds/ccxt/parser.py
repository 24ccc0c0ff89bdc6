"""Builds and parses the recorded frames of exchanges read through the package ccxt.

ccxt returns values, not payloads, so the frames of these feeds are our own JSON:

    {"tickers":[{"symbol":"BTC/USD","last":69000.1,"bid":69000.0,"ask":69000.2,"timestamp":1700000000123}]}

`timestamp` is in milliseconds, and null where the exchange gives none; the receive time counts then.
Parsing does not need ccxt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from arena.feeds.base import PriceUpdate
from arena.feeds.json_values import parse_price

_FIELDS = ("symbol", "last", "bid", "ask", "timestamp")


def frame_of(tickers: Iterable[Any]) -> bytes:
    """Return the frame that is recorded for some tickers of ccxt."""
    kept = [{key: _plain(ticker.get(key)) for key in _FIELDS} for ticker in tickers if isinstance(ticker, Mapping)]
    return orjson.dumps({"tickers": kept})


def _plain(value: object) -> str | float | None:
    """Return a number or text that JSON holds without loss, None for any other value."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value if isinstance(value, float) or (type(value) is int and abs(value) < 2**53) else None


class CcxtParser:
    """Parses recorded tickers; only the price of the last trade counts, never a bid, an ask or a mean.

    `counts` counts tickers by kind: prices, unchanged (the same again), unpriced, bad_prices, unknown and garbled.
    """

    def __init__(self, name: str, symbols: Iterable[str] | None = None, counts: Counter[str] | None = None) -> None:
        self.counts: Counter[str] = Counter() if counts is None else counts
        self._name = name
        self._wanted = None if symbols is None else frozenset(symbols)
        self._newest: dict[str, tuple[float, object]] = {}

    def parse(self, payload: bytes, receive_time: float) -> list[PriceUpdate]:
        """Return the prices in a frame; never raises, whatever arrives."""
        try:
            frame = orjson.loads(payload)
        except orjson.JSONDecodeError:
            frame = None
        tickers = frame.get("tickers") if isinstance(frame, dict) else None
        if not isinstance(tickers, list):
            self.counts["garbled"] += 1
            return []
        read = (self._read(ticker, receive_time) for ticker in tickers if isinstance(ticker, dict))
        return [update for update in read if update is not None]

    def _read(self, ticker: dict[str, Any], receive_time: float) -> PriceUpdate | None:
        symbol, last, stamp = ticker.get("symbol"), ticker.get("last"), ticker.get("timestamp")
        price = parse_price(last)
        if not isinstance(symbol, str) or not (self._wanted is None or symbol in self._wanted):
            kind = "unknown"
        elif price is None:
            kind = "unpriced" if last is None else "bad_prices"
        else:
            kind = "unchanged" if self._newest.get(symbol) == (price, stamp) else "prices"
            self._newest[symbol] = (price, stamp)
        self.counts[kind] += 1
        if kind not in {"prices", "unchanged"}:
            return None
        assert isinstance(symbol, str)
        assert price is not None
        return PriceUpdate(symbol, price, _moment(stamp, receive_time), receive_time, self._name)


def _moment(stamp: object, receive_time: float) -> float:
    """Return milliseconds as seconds, the receive time where they are not a time."""
    return stamp / 1e3 if type(stamp) in {int, float} and stamp > 0 else receive_time  # type: ignore[operator]

"""The market-data REST side of the fake Binance.

No sockets here: a path and its query go in, a status and a JSON value come out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from websockets.datastructures import Headers
from websockets.http11 import Response

_SECONDS = {"1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600}
_SECONDS |= {"2h": 7200, "4h": 14_400, "6h": 21_600, "8h": 28_800, "12h": 43_200, "1d": 86_400}
_MAX_LIMIT = 1000
_KEPT = 5_000  # trades of a symbol

_Answer = tuple[int, Any]
_Query = Mapping[str, Sequence[str]]

_INVALID_SYMBOL: _Answer = (400, {"code": -1121, "msg": "Invalid symbol."})


class RestBoard:
    """What the venue knows about each symbol: its last trades by id, and bars made of them.

    A symbol is known from its first trade, or from `list_symbols`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._trades: dict[str, list[dict[str, Any]]] = {}

    def list_symbols(self, *symbols: str) -> None:
        """Make symbols known before their first trade."""
        for symbol in symbols:
            self._trades.setdefault(symbol, [])

    def remember(self, symbol: str, trade_id: int, price: str, milliseconds: int) -> None:
        """Take a trade into the tape of its symbol; an id that is there already is the same trade."""
        trade = {
            "id": trade_id, "price": price, "qty": "0.01000000", "quoteQty": "0",
            "time": milliseconds, "isBuyerMaker": False, "isBestMatch": True,
        }  # fmt: skip
        tape = self._trades.setdefault(symbol, [])
        place = bisect_left(tape, trade_id, key=_id)
        if place == len(tape) or tape[place]["id"] != trade_id:
            tape.insert(place, trade)
        if len(tape) > 2 * _KEPT:
            del tape[:_KEPT]

    def answer(self, path: str, query: _Query) -> _Answer:
        """Return status and body for a GET."""
        name = path.removeprefix("/api/v3/")
        if name == "ping":
            return 200, {}
        if name == "time":
            return 200, {"serverTime": round(self._clock() * 1000)}
        if name == "exchangeInfo":
            return self._exchange_info(query)
        if name == "ticker/price":
            return self._last_prices(_one(query, "symbol"))
        if name in {"klines", "trades"}:
            return self._about_symbol(name, query)
        return 404, {"code": -1, "msg": "Not found."}

    def _exchange_info(self, query: _Query) -> _Answer:
        asked = orjson.loads(_one(query, "symbols") or "[]") or list(self._trades)
        if any(symbol not in self._trades for symbol in asked):
            return _INVALID_SYMBOL
        listed = [{"symbol": symbol, "status": "TRADING"} for symbol in asked]
        return 200, {"timezone": "UTC", "serverTime": round(self._clock() * 1000), "symbols": listed}

    def _last_prices(self, symbol: str) -> _Answer:
        found = [{"symbol": name, "price": tape[-1]["price"]} for name, tape in self._trades.items() if tape]
        if not symbol:
            return 200, found
        return next(((200, entry) for entry in found if entry["symbol"] == symbol), _INVALID_SYMBOL)

    def _about_symbol(self, name: str, query: _Query) -> _Answer:
        tape = self._trades.get(_one(query, "symbol"))
        if tape is None:
            return _INVALID_SYMBOL
        limit = min(int(_one(query, "limit") or 500), _MAX_LIMIT)
        if name == "trades":
            return 200, tape[-limit:]
        seconds = _SECONDS.get(_one(query, "interval"))
        if seconds is None:
            return 400, {"code": -1120, "msg": "Invalid interval."}
        start = int(_one(query, "startTime") or 0)
        end = int(_one(query, "endTime") or 1 << 62)
        bars = [bar for bar in _bars(tape, seconds * 1000) if start <= bar[0] <= end]
        return 200, bars[:limit] if start else bars[-limit:]


def response(status: int, body: object, retry_after: str | None = None) -> Response:
    """Return an answer as it goes over the wire, with the venue's headers."""
    payload = orjson.dumps(body)
    headers = Headers()
    headers["Content-Type"] = "application/json;charset=UTF-8"
    headers["Content-Length"] = str(len(payload))
    headers["Connection"] = "close"
    headers["X-MBX-USED-WEIGHT-1M"] = "2"
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return Response(status, "Refused" if status >= 400 else "OK", headers, payload)


def _bars(tape: list[dict[str, Any]], length: int) -> list[list[Any]]:
    """Return the venue's twelve columns for every span of `length` ms that has a trade."""
    spans: dict[int, list[str]] = {}
    for trade in sorted(tape, key=lambda trade: int(trade["time"])):
        spans.setdefault(trade["time"] // length * length, []).append(trade["price"])
    return [
        [
            opened, prices[0], max(prices, key=float), min(prices, key=float), prices[-1],
            f"{0.01 * len(prices):.8f}", opened + length - 1, "0", len(prices), "0", "0", "0",
        ]
        for opened, prices in spans.items()
    ]  # fmt: skip


def _id(trade: Mapping[str, Any]) -> int:
    return int(trade["id"])


def _one(query: _Query, key: str) -> str:
    return query.get(key, [""])[0]

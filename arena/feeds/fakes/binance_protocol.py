"""The protocol of the fake Binance without sockets: control messages of a connection, and REST responses."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

MESSAGES_PER_SECOND = 5
MAX_STREAMS = 1024
_TIME_FIELDS = ("E", "T")

_Reply = dict[str, Any]

_SECONDS = {"1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600}
_SECONDS |= {"2h": 7200, "4h": 14_400, "6h": 21_600, "8h": 28_800, "12h": 43_200, "1d": 86_400}
_MAX_LIMIT = 1000
_KEPT = 5_000  # trades of a symbol

_Answer = tuple[int, Any]
_Query = Mapping[str, Sequence[str]]

_INVALID_SYMBOL: _Answer = (400, {"code": -1121, "msg": "Invalid symbol."})


class FakeBinanceSession:
    """The streams and properties of one connection, and the replies to its control messages."""

    def __init__(self, streams: Iterable[str], *, combined: bool, microseconds: bool = False) -> None:
        self.streams = dict.fromkeys(streams)
        self.combined = combined
        self._microseconds = microseconds
        self._heard: deque[float] = deque(maxlen=MESSAGES_PER_SECOND + 1)
        self._methods: dict[str, Callable[[Any], _Reply]] = {
            "SUBSCRIBE": self._subscribe,
            "UNSUBSCRIBE": self._unsubscribe,
            "LIST_SUBSCRIPTIONS": self._list,
            "SET_PROPERTY": self._set_property,
            "GET_PROPERTY": self._get_property,
        }

    def frame(self, stream: str, payload: dict[str, Any]) -> str:
        """Return an event in this connection's format: raw or combined, milliseconds or microseconds."""
        if self._microseconds:
            payload = {k: v * 1000 if k in _TIME_FIELDS else v for k, v in payload.items()}
        whole = {"stream": stream, "data": payload} if self.combined else payload
        return json.dumps(whole, separators=(",", ":"))

    def too_fast(self, now: float) -> bool:
        """Count one incoming message; return whether a second had more than the venue allows."""
        self._heard.append(now)
        return len(self._heard) > MESSAGES_PER_SECOND and now - self._heard[0] < 1.0

    def reply(self, text: str | bytes) -> str:
        """Return the answer to one control message."""
        try:
            request = json.loads(text)
        except ValueError:
            return json.dumps(_error(3, "Invalid JSON: expected value at line 1 column 1"))
        answer = self._answer(request, len(text))
        if isinstance(request, dict) and "id" in request and answer.get("code") not in {2, 3}:
            answer["id"] = request["id"]
        return json.dumps(answer)

    def _answer(self, request: Any, column: int) -> _Reply:
        where = f"at line 1 column {column}"
        if not isinstance(request, dict) or "method" not in request:
            return _error(2, f"Invalid request: missing field `method` {where}")
        method = self._methods.get(str(request["method"]))
        if method is None:
            known = ", ".join(f"`{name}`" for name in self._methods)
            unknown = f"unknown variant {request['method']}, expected one of {known}"
            return _error(2, f"Invalid request: {unknown} {where}")
        return method(request.get("params", []))

    def _subscribe(self, params: Any) -> _Reply:
        if not _are_names(params):
            return _error(2, "Invalid request: stream names must be strings")
        if len(self.streams | dict.fromkeys(params)) > MAX_STREAMS:
            return _error(2, "Invalid request: too many streams")
        self.streams.update(dict.fromkeys(params))
        return {"result": None}

    def _unsubscribe(self, params: Any) -> _Reply:
        if not _are_names(params):
            return _error(2, "Invalid request: stream names must be strings")
        for name in params:
            self.streams.pop(name, None)
        return {"result": None}

    def _list(self, _params: Any) -> _Reply:
        return {"result": list(self.streams)}

    def _set_property(self, params: Any) -> _Reply:
        if not isinstance(params, list) or len(params) != 2 or params[0] != "combined":
            return _error(0, "Unknown property")
        if not isinstance(params[1], bool):
            return _error(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return {"result": None}

    def _get_property(self, params: Any) -> _Reply:
        if params != ["combined"]:
            return _error(0, "Unknown property")
        return {"result": self.combined}


def _are_names(params: Any) -> bool:
    return isinstance(params, list) and all(isinstance(name, str) for name in params)


def _error(code: int, message: str) -> _Reply:
    return {"code": code, "msg": message}


class FakeBinanceMarket:
    """The trades of each symbol by id, and the REST responses made of them.

    A symbol exists from its first trade, or from `list_symbols`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._trades: dict[str, list[dict[str, Any]]] = {}

    def list_symbols(self, *symbols: str) -> None:
        """List symbols before their first trade."""
        for symbol in symbols:
            self._trades.setdefault(symbol, [])

    def remember(self, symbol: str, trade_id: int, price: str, milliseconds: int) -> None:
        """Add a trade; an id that exists already is the same trade."""
        trade = {
            "id": trade_id, "price": price, "qty": "0.01000000", "quoteQty": "0",
            "time": milliseconds, "isBuyerMaker": False, "isBestMatch": True,
        }  # fmt: skip
        trades = self._trades.setdefault(symbol, [])
        place = bisect_left(trades, trade_id, key=_id)
        if place == len(trades) or trades[place]["id"] != trade_id:
            trades.insert(place, trade)
        if len(trades) > 2 * _KEPT:
            del trades[:_KEPT]

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
            return self._last_prices(_parameter(query, "symbol"))
        if name in {"klines", "trades"}:
            return self._about_symbol(name, query)
        return 404, {"code": -1, "msg": "Not found."}

    def _exchange_info(self, query: _Query) -> _Answer:
        asked = orjson.loads(_parameter(query, "symbols") or "[]") or list(self._trades)
        if any(symbol not in self._trades for symbol in asked):
            return _INVALID_SYMBOL
        listed = [{"symbol": symbol, "status": "TRADING"} for symbol in asked]
        return 200, {"timezone": "UTC", "serverTime": round(self._clock() * 1000), "symbols": listed}

    def _last_prices(self, symbol: str) -> _Answer:
        found = [{"symbol": name, "price": trades[-1]["price"]} for name, trades in self._trades.items() if trades]
        if not symbol:
            return 200, found
        return next(((200, entry) for entry in found if entry["symbol"] == symbol), _INVALID_SYMBOL)

    def _about_symbol(self, name: str, query: _Query) -> _Answer:
        trades = self._trades.get(_parameter(query, "symbol"))
        if trades is None:
            return _INVALID_SYMBOL
        limit = min(int(_parameter(query, "limit") or 500), _MAX_LIMIT)
        if name == "trades":
            return 200, trades[-limit:]
        seconds = _SECONDS.get(_parameter(query, "interval"))
        if seconds is None:
            return 400, {"code": -1120, "msg": "Invalid interval."}
        start = int(_parameter(query, "startTime") or 0)
        end = int(_parameter(query, "endTime") or 1 << 62)
        bars = [bar for bar in _bars(trades, seconds * 1000) if start <= bar[0] <= end]
        return 200, bars[:limit] if start else bars[-limit:]


def _bars(trades: list[dict[str, Any]], length: int) -> list[list[Any]]:
    """Return the venue's twelve columns for every span of `length` ms that has a trade."""
    spans: dict[int, list[str]] = {}
    for trade in sorted(trades, key=lambda trade: int(trade["time"])):
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


def _parameter(query: _Query, key: str) -> str:
    return query.get(key, [""])[0]

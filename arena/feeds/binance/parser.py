"""Parses Binance's payloads: live WebSocket frames, REST responses, and both from a recording.

A REST response of recent trades does not name its symbol, so it is wrapped like a frame of a combined
stream, its body unchanged:

    {"stream":"BTCUSDT@trades","data":[{"id":28457,"price":"4.00","time":1499865549590, ...}, ...]}

Every trade counts once: within a symbol, trade ids only increase, on whichever connection they arrive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from arena.feeds.base import PriceUpdate
from arena.feeds.json_values import parse_price

FEED = "binance"
# Ids that fall although this many seconds have passed mean that the venue has restarted its numbering;
# a frame that is merely late is never that much older than the newest.
RENUMBERED_AFTER = 60.0

_TRADES = "@trades"
# Per event: the fields of id, price and time.
_EVENT_FIELDS = {"trade": ("t", "p", "T"), "aggTrade": ("a", "p", "T"), "24hrMiniTicker": ("E", "c", "E")}
_REST_FIELDS = ("id", "price", "time")


class BinanceParser:
    """Parses payloads into prices of `symbols`, or of every symbol where none are given.

    `counts` counts payloads by kind: prices, duplicates, backfilled, unknown, garbled, bad_prices, errors,
    replies, shutdown.
    """

    def __init__(self, symbols: Iterable[str] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._wanted = None if symbols is None else frozenset(symbols)
        # By event and symbol: the newest id and its effective time.
        self._newest: dict[str, dict[str, tuple[int, float]]] = {event: {} for event in _EVENT_FIELDS}

    def traded_symbols(self) -> list[str]:
        """Return the symbols that have had a trade."""
        return list(self._newest["trade"])

    def parse(self, payload: bytes, receive_time: float) -> Sequence[PriceUpdate]:
        """Return the new prices in a payload."""
        return self.parse_with_kind(payload, receive_time)[1]

    def parse_with_kind(self, payload: bytes, receive_time: float) -> tuple[str, list[PriceUpdate]]:
        """Return the kind of a payload, as in `counts`, and its new prices."""
        stream, data = _unwrap(payload)
        if isinstance(data, list):
            return self._rest_trades(stream.removesuffix(_TRADES), data, receive_time)
        kind, update = ("garbled", None) if data is None else self._event(data, receive_time)
        self.counts[kind] += 1
        return kind, [] if update is None else [update]

    def _event(self, data: dict[str, Any], receive_time: float) -> tuple[str, PriceUpdate | None]:
        event, symbol = data.get("e"), data.get("s")
        fields = _EVENT_FIELDS.get(event) if isinstance(event, str) else None
        if fields is None or not isinstance(symbol, str) or not self._wants(symbol):
            return _other_kind(data), None
        return self._price(event, symbol, data, fields, receive_time)  # type: ignore[arg-type]

    def _rest_trades(self, symbol: str, trades: list[Any], receive_time: float) -> tuple[str, list[PriceUpdate]]:
        """Parse recent trades, oldest first; those that a frame has brought do not count again."""
        if not self._wants(symbol):
            self.counts["unknown"] += 1
            return "unknown", []
        updates = []
        for trade in sorted((t for t in trades if isinstance(t, dict)), key=_trade_id):
            kind, update = self._price("trade", symbol, trade, _REST_FIELDS, receive_time)
            if update is not None:
                updates.append(update)
            elif kind != "duplicates":
                self.counts[kind] += 1
        self.counts["backfilled"] += len(updates)
        return "backfilled", updates

    def _price(
        self, event: str, symbol: str, data: dict[str, Any], fields: tuple[str, str, str], receive_time: float
    ) -> tuple[str, PriceUpdate | None]:
        number, stamp = data.get(fields[0]), data.get(fields[2])
        if type(number) is not int or type(stamp) is not int or number < 0 or stamp <= 0:
            return "garbled", None
        price = parse_price(data.get(fields[1]))
        if price is None:
            return "bad_prices", None
        event_time = _seconds(stamp)
        effective = min(event_time, receive_time)
        newest = self._newest[event]
        before = newest.get(symbol)
        if before is not None and number <= before[0] and effective - before[1] < RENUMBERED_AFTER:
            return "duplicates", None
        newest[symbol] = (number, effective)
        return "prices", PriceUpdate(symbol, price, event_time, receive_time, FEED)

    def _wants(self, symbol: str) -> bool:
        return self._wanted is None or symbol in self._wanted


def wrap_rest_trades(symbol: str, body: bytes) -> bytes:
    """Return a REST response of recent trades wrapped with its symbol's name."""
    return b'{"stream":' + orjson.dumps(symbol + _TRADES) + b',"data":' + body + b"}"


def _unwrap(payload: bytes) -> tuple[str, dict[str, Any] | list[Any] | None]:
    """Return the stream's name and the event, or a REST response's trades; None where it is not JSON."""
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return "", None
    if not isinstance(message, dict):
        return "", {}
    if "stream" not in message:
        return "", message
    stream, data = message["stream"], message.get("data")
    if isinstance(data, list) and isinstance(stream, str) and stream.endswith(_TRADES):
        return stream, data
    return "", data if isinstance(data, dict) else {}


def _trade_id(trade: dict[str, Any]) -> int:
    number = trade.get("id")
    return number if type(number) is int else -1


def _seconds(stamp: int) -> float:
    """Return milliseconds, or microseconds (16 digits), as seconds."""
    return stamp / 1e6 if stamp >= 10**15 else stamp / 1e3


def _other_kind(data: dict[str, Any]) -> str:
    """Return the kind of an event without a price of ours."""
    if data.get("e") == "serverShutdown":
        return "shutdown"
    if "e" not in data and ("code" in data or "error" in data):
        return "errors"
    return "replies" if "e" not in data and "result" in data else "unknown"

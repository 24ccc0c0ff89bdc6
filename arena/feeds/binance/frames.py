"""What Binance's payloads mean: the one reader of live frames, back-filled answers and recordings.

A payload is an event of a raw or combined stream, or a REST answer of recent trades. The answer itself
does not name its symbol, so it is put into the envelope of a combined stream, its body untouched:

    {"stream":"BTCUSDT@trades","data":[{"id":28457,"price":"4.00","time":1499865549590, ...}, ...]}

Every price counts once: within a symbol the venue's numbers only go up, whichever connection brings them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from arena.feeds.base import PriceUpdate
from arena.feeds.dialling import price_of

FEED = "binance"
# Where numbers have fallen although this many seconds have passed, the venue has begun to count anew;
# a frame that is merely late is never that much later than the newest.
RENUMBERED_AFTER = 60.0

_TRADES = "@trades"
# Per event: the fields of number, price and time.
_FIELDS = {"trade": ("t", "p", "T"), "aggTrade": ("a", "p", "T"), "24hrMiniTicker": ("E", "c", "E")}
_ANSWER = ("id", "price", "time")

Reading = tuple[str, list[PriceUpdate]]


class BinanceParser:
    """Turns payloads into prices of `symbols`, or of every symbol where none are given.

    `counts` says how many of what: prices, duplicates, backfilled, unknown, garbled, bad_prices, errors,
    replies, shutdown.
    """

    def __init__(self, symbols: Iterable[str] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._wanted = None if symbols is None else frozenset(symbols)
        # By event and symbol: the newest number, and the time from which it counts.
        self._newest: dict[str, dict[str, tuple[int, float]]] = {event: {} for event in _FIELDS}

    def heard(self) -> list[str]:
        """Return the symbols whose trades have been heard of."""
        return list(self._newest["trade"])

    def parse(self, payload: bytes, receive_time: float) -> Sequence[PriceUpdate]:
        """Return the prices in a payload that have not been told before."""
        return self.read(payload, receive_time)[1]

    def read(self, payload: bytes, receive_time: float) -> Reading:
        """Return what kind of payload this is, counted, and its new prices."""
        stream, data = _opened(payload)
        if isinstance(data, list):
            return self._answer(stream.removesuffix(_TRADES), data, receive_time)
        kind, update = ("garbled", None) if data is None else self._event(data, receive_time)
        self.counts[kind] += 1
        return kind, [] if update is None else [update]

    def _event(self, data: dict[str, Any], received: float) -> tuple[str, PriceUpdate | None]:
        event, symbol = data.get("e"), data.get("s")
        fields = _FIELDS.get(event) if isinstance(event, str) else None
        if fields is None or not isinstance(symbol, str) or not self._wants(symbol):
            return _other(data), None
        return self._price(event, symbol, data, fields, received)  # type: ignore[arg-type]

    def _answer(self, symbol: str, trades: list[Any], received: float) -> Reading:
        """Read recent trades, oldest first; only those that no frame has brought count."""
        if not self._wants(symbol):
            self.counts["unknown"] += 1
            return "unknown", []
        updates = []
        for trade in sorted((t for t in trades if isinstance(t, dict)), key=_number):
            kind, update = self._price("trade", symbol, trade, _ANSWER, received)
            if update is not None:
                updates.append(update)
            elif kind != "duplicates":
                self.counts[kind] += 1
        self.counts["backfilled"] += len(updates)
        return "backfilled", updates

    def _price(
        self, event: str, symbol: str, data: dict[str, Any], fields: tuple[str, str, str], received: float
    ) -> tuple[str, PriceUpdate | None]:
        number, stamp = data.get(fields[0]), data.get(fields[2])
        if type(number) is not int or type(stamp) is not int or number < 0 or stamp <= 0:
            return "garbled", None
        price = price_of(data.get(fields[1]))
        if price is None:
            return "bad_prices", None
        made = _seconds(stamp)
        counts_from = min(made, received)
        newest = self._newest[event]
        before = newest.get(symbol)
        if before is not None and number <= before[0] and counts_from - before[1] < RENUMBERED_AFTER:
            return "duplicates", None
        newest[symbol] = (number, counts_from)
        return "prices", PriceUpdate(symbol, price, made, received, FEED)

    def _wants(self, symbol: str) -> bool:
        return self._wanted is None or symbol in self._wanted


def enveloped(symbol: str, answer: bytes) -> bytes:
    """Return a REST answer of recent trades with its symbol's name around it."""
    return b'{"stream":' + orjson.dumps(symbol + _TRADES) + b',"data":' + answer + b"}"


def _opened(payload: bytes) -> tuple[str, dict[str, Any] | list[Any] | None]:
    """Return the name of the stream and the event, or an answer's trades; None where it is no JSON."""
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


def _number(trade: dict[str, Any]) -> int:
    number = trade.get("id")
    return number if type(number) is int else -1


def _seconds(stamp: int) -> float:
    """Return milliseconds, or microseconds (16 digits), as seconds."""
    return stamp / 1e6 if stamp >= 10**15 else stamp / 1e3


def _other(data: dict[str, Any]) -> str:
    """Return what an event is that holds no price of ours."""
    if data.get("e") == "serverShutdown":
        return "shutdown"
    if "e" not in data and ("code" in data or "error" in data):
        return "errors"
    return "replies" if "e" not in data and "result" in data else "unknown"

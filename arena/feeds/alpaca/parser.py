"""What Alpaca's messages say about prices.

A trade sets the price, and so does what is told in its place when it is corrected or cancelled; or
the middle of the quotes does, or the close of the minute bars. News older than the price that holds
changes nothing. What REST answers to the question for the last prices is read by the same rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from arena.feeds.alpaca.codec import NANOSECONDS, Message, decode, nanoseconds
from arena.feeds.alpaca.halts import Halts
from arena.feeds.alpaca.tape import Deal, Key, Order, Tape, Told
from arena.feeds.base import Halt, PriceUpdate
from arena.feeds.dialling import price_of

Prices = Literal["trades", "quotes", "bars"]

_BAR_LENGTH = 60 * NANOSECONDS
# A time further ahead than this is wrong; without a limit one such trade, or halt, would outrank all others.
_AHEAD = 60 * NANOSECONDS
_CONTROLS = frozenset({"success", "error", "subscription"})
# What is read, and the choice of prices that it belongs to; statuses belong to all.
_READ = {"t": "trades", "c": "trades", "x": "trades", "q": "quotes", "b": "bars", "s": ""}
_UNPRICED = frozenset({"u", "d", "l", "o", "n", "i"})
# The keys of a REST answer, each with the kind of message that its entries are.
_ANSWERS = {"trades": "t", "quotes": "q", "bars": "b"}
# Conditions of trades that were not made at the market's price of the moment: late or out of
# sequence, at an average, an earlier or a derived price, for cash or later delivery, parts of a
# larger deal, and the official open and close told again.
_NOT_THE_MARKET = frozenset("CHMNPQRUVWZ47")


@dataclass(slots=True)
class Reading:
    """What a payload holds: prices, halts, the messages about the connection itself, and trading statuses."""

    updates: list[PriceUpdate] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)
    controls: list[Message] = field(default_factory=list)
    statuses: int = 0


class AlpacaParser:
    """Reads payloads of both encodings and of both kinds of streams; `symbols` None means all.

    Where `prices` is not given, the subscription that the venue confirms in a recording decides.
    `counts` says what came, by kind; `halts` which stocks are halted now.
    """

    def __init__(
        self, symbols: Iterable[str] | None = None, prices: Prices | None = None, name: str = "alpaca"
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.halts = Halts()
        self._wanted = None if symbols is None else frozenset(symbols)
        self._prices = prices
        self._learned: str = prices or "trades"
        self._name = name
        self._tapes: dict[str, Tape] = {}
        self._newest: dict[str, tuple[Order, float]] = {}
        self._readers: dict[str, Callable[[str, Message, int], Told | str]] = {
            "t": self._trade, "c": self._correction, "x": self._cancel, "q": self._quote, "b": self._bar,
            "s": self._status,
        }  # fmt: skip

    def parse(self, payload: bytes, receive_time: float) -> list[PriceUpdate | Halt]:
        """Return the prices in a payload, and which halts have begun or ended with it."""
        reading = self.read(payload, receive_time)
        return [*reading.updates, *reading.halts]

    def read(self, payload: bytes, receive_time: float) -> Reading:
        """Return all there is in a payload; never raises, whatever arrives."""
        reading = Reading()
        messages = decode(payload)
        if messages is None:
            self.counts["garbled"] += 1
            return reading
        answered = _entries(messages)
        for message in messages if answered is None else answered:
            kind = message.get("T") if isinstance(message, dict) else None
            if isinstance(kind, str) and kind in _CONTROLS:
                self._control(kind, message)
                reading.controls.append(message)
                continue
            found = self._news(kind, message, receive_time) if isinstance(kind, str) else "garbled"
            if isinstance(found, PriceUpdate):
                reading.updates.append(found if answered is None else replace(found, recalled=True))
            reading.statuses += kind == "s"
            self.counts[found if isinstance(found, str) else "prices"] += 1
        reading.halts += [Halt(name, why, receive_time, self._name) for name, why in self.halts.news().items()]
        return reading

    def _control(self, kind: str, message: Message) -> None:
        self.counts["errors" if kind == "error" else "replies"] += 1
        if kind == "subscription" and self._prices is None:
            self._learned = next((name for name in ("trades", "quotes", "bars") if message.get(name)), self._learned)
        quoted = message.get("quotes")
        if kind == "subscription" and self._learned == "quotes" and isinstance(quoted, list):
            # A new connection; without trades nothing would end a halt that has ended meanwhile.
            self.halts.forget(name for name in quoted if isinstance(name, str))

    def _news(self, kind: str, message: Message, receive_time: float) -> PriceUpdate | str:
        """Return the price in a message, or the kind of message that sets none."""
        if kind not in _READ:
            return "not_price" if kind in _UNPRICED else "unknown"
        symbol = message.get("S")
        if not isinstance(symbol, str):
            return "garbled"
        if _READ[kind] not in {"", self._learned}:
            return "not_price"
        if self._wanted is not None and symbol not in self._wanted:
            return "unknown"
        received = int(receive_time * NANOSECONDS)
        told = self._readers[kind](symbol, message, received)
        if isinstance(told, str):
            return told
        if kind != "q":  # quotations go on in a halt
            # A bar counts from its end, and may have begun before a halt.
            made = told.time - (_BAR_LENGTH if kind == "b" else 0)
            self.halts.traded(symbol, min(made, received + _AHEAD))
        return PriceUpdate(symbol, told.price, told.time / NANOSECONDS, receive_time, self._name)

    def _trade(self, symbol: str, message: Message, received: int) -> Told | str:
        time = nanoseconds(message.get("t"))
        if time is None:
            return "garbled"
        if not _at_the_market(message.get("c"), message.get("z")):
            return "not_price"
        price = price_of(message.get("p"))
        if price is None:
            return "bad_prices"
        tape, key = self._tape(symbol), _key(message, "i")
        if tape.knows(key, time):
            return "duplicates"
        return tape.add(Deal(_order(time, received), time, key, price)) or "late"

    def _correction(self, symbol: str, message: Message, received: int) -> Told | str:
        del received
        self.counts["corrections"] += 1
        price = price_of(message.get("cp")) if _at_the_market(message.get("cc"), message.get("z")) else None
        return self._tape(symbol).correct(_key(message, "oi"), _key(message, "ci"), price) or "unchanged"

    def _cancel(self, symbol: str, message: Message, received: int) -> Told | str:
        del received
        self.counts["cancels"] += 1
        return self._tape(symbol).cancel(_key(message, "i")) or "unchanged"

    def _quote(self, symbol: str, message: Message, received: int) -> Told | str:
        time = nanoseconds(message.get("t"))
        if time is None:
            return "garbled"
        middle = _middle(message)
        return "no_middle" if middle is None else self._newer(symbol, middle, time, received)

    def _bar(self, symbol: str, message: Message, received: int) -> Told | str:
        opened, close = nanoseconds(message.get("t")), price_of(message.get("c"))
        if opened is None:
            return "garbled"
        return "bad_prices" if close is None else self._newer(symbol, close, opened + _BAR_LENGTH, received)

    def _status(self, symbol: str, message: Message, received: int) -> str:
        return self.halts.hear(symbol, message, min(nanoseconds(message.get("t")) or received, received + _AHEAD))

    def _newer(self, symbol: str, price: float, time: int, received: int) -> Told | str:
        """Let a price through that is no older than the one before and does not repeat it."""
        order = _order(time, received)
        last = self._newest.get(symbol)
        if last is not None and order <= last[0]:
            if order < last[0]:
                return "late"
            if price == last[1]:
                return "duplicates"
        self._newest[symbol] = (order, price)
        return Told(price, time)

    def _tape(self, symbol: str) -> Tape:
        return self._tapes.setdefault(symbol, Tape())


def _entries(messages: list[Any]) -> list[Any] | None:
    """Return the entries of a REST answer as the messages that the stream would have sent, None if it is none."""
    answer = messages[0] if len(messages) == 1 else None
    if not isinstance(answer, dict) or "T" in answer:
        return None
    held = [(kind, answer[key]) for key, kind in _ANSWERS.items() if isinstance(answer.get(key), dict)]
    if not held:
        return None
    return [
        {**entry, "T": kind, "S": symbol} if isinstance(entry, dict) else entry
        for kind, entries in held for symbol, entry in entries.items()
    ]  # fmt: skip


def _order(time: int, received: int) -> Order:
    return min(time, received + _AHEAD), time


def _key(message: Message, field_name: str) -> Key:
    return str(message.get("x")), str(message.get(field_name))


def _at_the_market(conditions: Any, tape: Any) -> bool:
    """Return whether a trade's conditions let it set the price; crypto trades have none."""
    if not isinstance(conditions, list):
        return True
    # B is an average price on tapes A and B; on tape C it is a bunched trade, which counts.
    barred = _NOT_THE_MARKET if tape == "C" else _NOT_THE_MARKET | {"B"}
    return not any(isinstance(each, str) and each in barred for each in conditions)


def _middle(message: Message) -> float | None:
    """Return the middle of a quote; none where a side is missing, crossed or a placeholder."""
    bid, ask = price_of(message.get("bp")), price_of(message.get("ap"))
    if bid is None or ask is None or not bid <= ask <= 2.0 * bid:
        return None
    return bid / 2.0 + ask / 2.0

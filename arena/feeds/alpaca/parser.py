"""Parses Alpaca's messages into prices and trading halts.

A trade sets the price, and so does the correction or cancellation of the newest trade; with other settings
the middle of a quote does, or the close of a minute bar. What is older than the current price changes
nothing. REST responses with the latest prices are parsed by the same rules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from arena.feeds.alpaca.codec import NANOSECONDS, Message, decode, nanoseconds
from arena.feeds.base import Halt, PriceUpdate
from arena.feeds.json_values import parse_price

PriceKind = Literal["trades", "quotes", "bars"]
TradeKey = tuple[str, str]  # exchange and trade id
TimeOrder = tuple[int, int]

TRADE_MEMORY = 200  # trades of a symbol that a correction or cancellation is looked up in

_BAR_LENGTH = 60 * NANOSECONDS
# A time further ahead than this is wrong; without a limit one such trade, or halt, would outrank all others.
_MAX_AHEAD = 60 * NANOSECONDS
_CONTROLS = frozenset({"success", "error", "subscription"})
# The messages that are read, each with the price setting it belongs to; statuses belong to all.
_MESSAGE_KINDS = {"t": "trades", "c": "trades", "x": "trades", "q": "quotes", "b": "bars", "s": ""}
_WITHOUT_PRICE = frozenset({"u", "d", "l", "o", "n", "i"})
# The keys of a REST response, each with the kind of message that its entries are.
_REST_KEYS = {"trades": "t", "quotes": "q", "bars": "b"}
# Conditions of trades that were not made at the market's current price: late or out of sequence, at an
# average, an earlier or a derived price, for cash or later delivery, parts of a larger deal, and the
# official open and close repeated.
_EXCLUDED_CONDITIONS = frozenset("CHMNPQRUVWZ47")
# Trading statuses: 2 halts and 3 resumes on tapes A and B; H and P (volatility pause) halt and T resumes on
# tape C. All others, such as the resumption of quotations only, change nothing.
_HALTS = frozenset("2HP")
_RESUMES = frozenset("3T")
_MAX_REASON = 80


@dataclass(slots=True)
class ParsedPayload:
    """What a payload holds: prices, halts, messages about the connection, and the number of trading statuses."""

    updates: list[PriceUpdate] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)
    controls: list[Message] = field(default_factory=list)
    statuses: int = 0


@dataclass(slots=True, eq=False)
class VenueTrade:
    """A trade: `order` sorts it by time; the price is None once it is corrected or cancelled."""

    order: TimeOrder
    time: int
    key: TradeKey
    price: float | None


@dataclass(frozen=True, slots=True)
class CurrentPrice:
    """The price that now counts, and since when, in nanoseconds."""

    price: float
    time: int


@dataclass(slots=True)
class RecentTrades:
    """The recent trades of one symbol by time; its methods return the new price where there is one.

    A corrected or cancelled trade stays without a price, so that its repetition is recognised and the price
    that replaces it counts from its time on.
    """

    _trades: list[VenueTrade] = field(default_factory=list)

    def contains(self, key: TradeKey, time: int) -> bool:
        """Return whether this very trade has been seen; ids begin anew each day, so the time counts too."""
        if not self._trades or time > self._trades[-1].time:
            return False
        return any(trade.key == key and trade.time == time for trade in reversed(self._trades))

    def add(self, trade: VenueTrade) -> CurrentPrice | None:
        """Add a trade; one older than the current price changes nothing."""
        self._trades.insert(bisect_right(self._trades, trade.order, key=_trade_order), trade)
        is_newest = self._newest() is trade
        if len(self._trades) > TRADE_MEMORY:
            del self._trades[0]
        return self._current() if is_newest else None

    def correct(self, key: TradeKey, new_key: TradeKey, price: float | None) -> CurrentPrice | None:
        """Replace a known trade, by one without a price where `price` is None."""
        trade = next((trade for trade in reversed(self._trades) if trade.key == key), None)
        if trade is None or trade.price is None:
            return None
        was_newest = self._newest() is trade
        trade.price = None
        place = bisect_right(self._trades, trade.order, key=_trade_order)
        self._trades.insert(place, VenueTrade(trade.order, trade.time, new_key, price))
        return self._current() if was_newest else None

    def cancel(self, key: TradeKey) -> CurrentPrice | None:
        """Cancel a known trade."""
        return self.correct(key, key, None)

    def _newest(self) -> VenueTrade | None:
        return next((trade for trade in reversed(self._trades) if trade.price is not None), None)

    def _current(self) -> CurrentPrice | None:
        """Return the newest price, from the time of the last trade that was cancelled after it."""
        time = 0
        for trade in reversed(self._trades):
            time = max(time, trade.time)
            if trade.price is not None:
                return CurrentPrice(trade.price, time)
        return None


@dataclass(frozen=True, slots=True)
class _TradingStatus:
    since: int
    reason: str  # empty while the stock trades


class TradingHalts:
    """Which stocks are halted, by their trading statuses and trades; times in nanoseconds."""

    def __init__(self) -> None:
        self._statuses: dict[str, _TradingStatus] = {}
        self._changes: dict[str, str] = {}

    def apply_status(self, symbol: str, message: Message, time: int) -> str:
        """Take a status message and return its kind: halts, resumptions or not_price."""
        code, last = message.get("sc"), self._statuses.get(symbol)
        if not isinstance(code, str) or code not in _HALTS | _RESUMES or (last is not None and time < last.since):
            return "not_price"
        self._set(symbol, time, _halt_reason(message) if code in _HALTS else "")
        return "halts" if code in _HALTS else "resumptions"

    def apply_trade(self, symbol: str, time: int) -> None:
        """End a halt by a trade made after it, since its resumption may have been missed."""
        last = self._statuses.get(symbol)
        if last is not None and last.reason and time > last.since:
            self._set(symbol, time, "")

    def take_changes(self) -> dict[str, str]:
        """Return the halts that have begun (with the reason) or ended (empty) since the last call, by symbol."""
        changes, self._changes = self._changes, {}
        return changes

    def reason(self, symbol: str) -> str:
        """Return why a stock is halted, empty if it is not."""
        status = self._statuses.get(symbol)
        return status.reason if status is not None else ""

    def all_halted(self, symbols: Iterable[str]) -> bool:
        """Return whether every one of these symbols is halted."""
        return all(self.reason(symbol) for symbol in symbols)

    def forget(self, symbols: Iterable[str]) -> None:
        """End the halts of these symbols."""
        for symbol in symbols:
            if self.reason(symbol):
                self._changes[symbol] = ""
            self._statuses.pop(symbol, None)

    def _set(self, symbol: str, time: int, reason: str) -> None:
        if reason != self.reason(symbol):
            self._changes[symbol] = reason
        self._statuses[symbol] = _TradingStatus(time, reason)


class AlpacaParser:
    """Parses payloads of both encodings and of both kinds of streams; `symbols` None means all.

    Where `prices` is not given, the subscription confirmed in a recording decides. `counts` counts messages
    by kind; `halts` knows which stocks are halted now.
    """

    def __init__(
        self, symbols: Iterable[str] | None = None, prices: PriceKind | None = None, name: str = "alpaca"
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.halts = TradingHalts()
        self._wanted = None if symbols is None else frozenset(symbols)
        self._configured_prices = prices
        self._prices: str = prices or "trades"
        self._name = name
        self._trades: dict[str, RecentTrades] = {}
        self._newest: dict[str, tuple[TimeOrder, float]] = {}
        self._readers: dict[str, Callable[[str, Message, int], CurrentPrice | str]] = {
            "t": self._trade, "c": self._correction, "x": self._cancellation, "q": self._quote, "b": self._bar,
            "s": self._status,
        }  # fmt: skip

    def parse(self, payload: bytes, receive_time: float) -> list[PriceUpdate | Halt]:
        """Return the prices in a payload, and the halts that begin or end with it."""
        parsed = self.parse_payload(payload, receive_time)
        return [*parsed.updates, *parsed.halts]

    def parse_payload(self, payload: bytes, receive_time: float) -> ParsedPayload:
        """Return everything in a payload; never raises, whatever arrives."""
        parsed = ParsedPayload()
        messages = decode(payload)
        if messages is None:
            self.counts["garbled"] += 1
            return parsed
        rest_messages = _rest_messages(messages)
        for message in messages if rest_messages is None else rest_messages:
            kind = message.get("T") if isinstance(message, dict) else None
            if isinstance(kind, str) and kind in _CONTROLS:
                self._control(kind, message)
                parsed.controls.append(message)
                continue
            found = self._price(kind, message, receive_time) if isinstance(kind, str) else "garbled"
            if isinstance(found, PriceUpdate):
                parsed.updates.append(found if rest_messages is None else replace(found, is_snapshot=True))
            parsed.statuses += kind == "s"
            self.counts[found if isinstance(found, str) else "prices"] += 1
        changes = self.halts.take_changes()
        parsed.halts += [Halt(name, reason, receive_time, self._name) for name, reason in changes.items()]
        return parsed

    def _control(self, kind: str, message: Message) -> None:
        self.counts["errors" if kind == "error" else "replies"] += 1
        if kind == "subscription" and self._configured_prices is None:
            self._prices = next((name for name in ("trades", "quotes", "bars") if message.get(name)), self._prices)
        quoted = message.get("quotes")
        if kind == "subscription" and self._prices == "quotes" and isinstance(quoted, list):
            # A new connection: without trades, nothing would end a halt that has ended meanwhile.
            self.halts.forget(name for name in quoted if isinstance(name, str))

    def _price(self, kind: str, message: Message, receive_time: float) -> PriceUpdate | str:
        """Return the price in a message, or the kind of message that sets none."""
        if kind not in _MESSAGE_KINDS:
            return "not_price" if kind in _WITHOUT_PRICE else "unknown"
        symbol = message.get("S")
        if not isinstance(symbol, str):
            return "garbled"
        if _MESSAGE_KINDS[kind] not in {"", self._prices}:
            return "not_price"
        if self._wanted is not None and symbol not in self._wanted:
            return "unknown"
        received = int(receive_time * NANOSECONDS)
        current = self._readers[kind](symbol, message, received)
        if isinstance(current, str):
            return current
        if kind != "q":  # quotations continue during a halt
            # A bar counts from its end, and may have begun before a halt.
            made = current.time - (_BAR_LENGTH if kind == "b" else 0)
            self.halts.apply_trade(symbol, min(made, received + _MAX_AHEAD))
        return PriceUpdate(symbol, current.price, current.time / NANOSECONDS, receive_time, self._name)

    def _trade(self, symbol: str, message: Message, received: int) -> CurrentPrice | str:
        time = nanoseconds(message.get("t"))
        if time is None:
            return "garbled"
        if not _sets_price(message.get("c"), message.get("z")):
            return "not_price"
        price = parse_price(message.get("p"))
        if price is None:
            return "bad_prices"
        trades, key = self._recent_trades(symbol), _key(message, "i")
        if trades.contains(key, time):
            return "duplicates"
        return trades.add(VenueTrade(_time_order(time, received), time, key, price)) or "late"

    def _correction(self, symbol: str, message: Message, received: int) -> CurrentPrice | str:
        del received
        self.counts["corrections"] += 1
        price = parse_price(message.get("cp")) if _sets_price(message.get("cc"), message.get("z")) else None
        return self._recent_trades(symbol).correct(_key(message, "oi"), _key(message, "ci"), price) or "unchanged"

    def _cancellation(self, symbol: str, message: Message, received: int) -> CurrentPrice | str:
        del received
        self.counts["cancels"] += 1
        return self._recent_trades(symbol).cancel(_key(message, "i")) or "unchanged"

    def _quote(self, symbol: str, message: Message, received: int) -> CurrentPrice | str:
        time = nanoseconds(message.get("t"))
        if time is None:
            return "garbled"
        middle = _middle(message)
        return "no_middle" if middle is None else self._if_newer(symbol, middle, time, received)

    def _bar(self, symbol: str, message: Message, received: int) -> CurrentPrice | str:
        opened, close = nanoseconds(message.get("t")), parse_price(message.get("c"))
        if opened is None:
            return "garbled"
        return "bad_prices" if close is None else self._if_newer(symbol, close, opened + _BAR_LENGTH, received)

    def _status(self, symbol: str, message: Message, received: int) -> str:
        time = min(nanoseconds(message.get("t")) or received, received + _MAX_AHEAD)
        return self.halts.apply_status(symbol, message, time)

    def _if_newer(self, symbol: str, price: float, time: int, received: int) -> CurrentPrice | str:
        """Return the price unless it is older than the last one or repeats it."""
        order = _time_order(time, received)
        last = self._newest.get(symbol)
        if last is not None and order <= last[0]:
            if order < last[0]:
                return "late"
            if price == last[1]:
                return "duplicates"
        self._newest[symbol] = (order, price)
        return CurrentPrice(price, time)

    def _recent_trades(self, symbol: str) -> RecentTrades:
        return self._trades.setdefault(symbol, RecentTrades())


def _rest_messages(messages: list[Any]) -> list[Any] | None:
    """Return the entries of a REST response as messages of the stream, None if it is none."""
    response = messages[0] if len(messages) == 1 else None
    if not isinstance(response, dict) or "T" in response:
        return None
    found = [(kind, response[key]) for key, kind in _REST_KEYS.items() if isinstance(response.get(key), dict)]
    if not found:
        return None
    return [
        {**entry, "T": kind, "S": symbol} if isinstance(entry, dict) else entry
        for kind, entries in found for symbol, entry in entries.items()
    ]  # fmt: skip


def _time_order(time: int, received: int) -> TimeOrder:
    return min(time, received + _MAX_AHEAD), time


def _trade_order(trade: VenueTrade) -> TimeOrder:
    return trade.order


def _key(message: Message, id_field: str) -> TradeKey:
    return str(message.get("x")), str(message.get(id_field))


def _sets_price(conditions: Any, tape: Any) -> bool:
    """Return whether a trade's conditions let it set the price; crypto trades have none."""
    if not isinstance(conditions, list):
        return True
    # B is an average price on tapes A and B; on tape C it is a bunched trade, which counts.
    excluded = _EXCLUDED_CONDITIONS if tape == "C" else _EXCLUDED_CONDITIONS | {"B"}
    return not any(isinstance(each, str) and each in excluded for each in conditions)


def _middle(message: Message) -> float | None:
    """Return the middle of a quote; None where a side is missing, crossed or a placeholder."""
    bid, ask = parse_price(message.get("bp")), parse_price(message.get("ap"))
    if bid is None or ask is None or not bid <= ask <= 2.0 * bid:
        return None
    return bid / 2.0 + ask / 2.0


def _halt_reason(message: Message) -> str:
    """Return the venue's status and reason as one line of limited length."""
    texts = [text for text in (message.get("sm"), message.get("rm")) if isinstance(text, str)]
    reason = ": ".join("".join(c if c.isprintable() else " " for c in text).strip() for text in texts if text.strip())
    return reason[:_MAX_REASON] or "no reason given"

"""What the fake Alpaca has told of each symbol: trades that can be corrected or cancelled, and the last of everything.

Each method returns the data message that says so; times are integer nanoseconds.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from arena.feeds.fakes import alpaca_messages as messages

Message = dict[str, Any]

_KEPT = 1_000  # trades of a symbol


class Board:
    """The venue's memory; `latest` is what its REST side tells."""

    def __init__(self) -> None:
        self._trades: dict[str, deque[Message]] = {}
        self._last: dict[tuple[str, str], Message] = {}
        self._ids: Counter[str] = Counter()

    def trade(self, symbol: str, price: float, trade_id: int | None, moment: int, **more: object) -> Message:
        """Make a trade; without a number of its own it gets the next one, and `more` replaces fields."""
        if trade_id is None:
            trade_id = self._ids[symbol] + 1
        self._ids[symbol] = max(self._ids[symbol], trade_id)
        made = messages.trade(symbol, price, trade_id, moment) | more
        self._trades.setdefault(symbol, deque(maxlen=_KEPT)).append(made)
        return made

    def correct(self, symbol: str, trade_id: int, price: float, moment: int) -> Message:
        """Put another price, under a new number, in the place of a trade's."""
        self._ids[symbol] += 1
        original = self._find(symbol, trade_id)
        tape = self._trades[symbol]
        tape[tape.index(original)] = original | {"i": self._ids[symbol], "p": price}
        return messages.correction(original, self._ids[symbol], price, moment)

    def cancel(self, symbol: str, trade_id: int, moment: int) -> Message:
        """Take a trade back."""
        original = self._find(symbol, trade_id)
        self._trades[symbol].remove(original)
        return messages.cancel(original, moment)

    def quote(self, symbol: str, bid: float, ask: float, moment: int) -> Message:
        """Make a quote."""
        return self._keep(messages.quote(symbol, bid, ask, moment))

    def bar(self, symbol: str, close: float, opened: int) -> Message:
        """Make a minute bar."""
        return self._keep(messages.bar(symbol, close, opened))

    def latest(self, channel: str, symbol: str) -> Message | None:
        """Return the newest of a channel (trades, quotes, bars), None where there is none."""
        if channel == "trades":
            return max(self._trades.get(symbol, ()), key=lambda trade: int(trade["t"]), default=None)
        return self._last.get((channel, symbol))

    def _keep(self, message: Message) -> Message:
        self._last[{"q": "quotes", "b": "bars"}[message["T"]], message["S"]] = message
        return message

    def _find(self, symbol: str, trade_id: int) -> Message:
        return next(trade for trade in reversed(self._trades[symbol]) if trade["i"] == trade_id)

"""Which stocks are halted, by the trading statuses and by the trades that show that a halt is over.

The codes are those of the two tapes: 2 halts and 3 resumes on tapes A and B; H and P (a pause after a
leap of the price) halt and T resumes on tape C. All others, among them the resumption of mere
quotations, change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from arena.feeds.alpaca.codec import Message

_HALTS = frozenset("2HP")
_RESUMES = frozenset("3T")
_UNSAID = "no reason given"
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class _Status:
    since: int
    reason: str  # empty while the stock trades


class Halts:
    """The last known trading status of each stock; times in nanoseconds."""

    def __init__(self) -> None:
        self._statuses: dict[str, _Status] = {}
        self._news: dict[str, str] = {}

    def hear(self, symbol: str, message: Message, time: int) -> str:
        """Take a status message and return its kind: halts, resumptions or not_price."""
        code, last = message.get("sc"), self._statuses.get(symbol)
        if not isinstance(code, str) or code not in _HALTS | _RESUMES or (last is not None and time < last.since):
            return "not_price"
        self._set(symbol, time, _reason(message) if code in _HALTS else "")
        return "halts" if code in _HALTS else "resumptions"

    def traded(self, symbol: str, time: int) -> None:
        """Take note of a trade: one made after a halt ends it, for its end may have been missed."""
        last = self._statuses.get(symbol)
        if last is not None and last.reason and time > last.since:
            self._set(symbol, time, "")

    def _set(self, symbol: str, time: int, reason: str) -> None:
        if reason != self.reason(symbol):
            self._news[symbol] = reason
        self._statuses[symbol] = _Status(time, reason)

    def news(self) -> dict[str, str]:
        """Return the reasons that have changed since the last time it was asked, by symbol; empty for an end."""
        news, self._news = self._news, {}
        return news

    def reason(self, symbol: str) -> str:
        """Return why a stock is halted, nothing if it is not."""
        status = self._statuses.get(symbol)
        return status.reason if status is not None else ""

    def cover(self, symbols: Iterable[str]) -> bool:
        """Return whether all of these are halted."""
        return all(self.reason(symbol) for symbol in symbols)

    def forget(self, symbols: Iterable[str]) -> None:
        """Forget the halts of these symbols."""
        for symbol in symbols:
            if self.reason(symbol):
                self._news[symbol] = ""
            self._statuses.pop(symbol, None)


def _reason(message: Message) -> str:
    """Return the venue's words for a person, bounded: what was halted and why."""
    said = [word for word in (message.get("sm"), message.get("rm")) if isinstance(word, str)]
    text = ": ".join("".join(c if c.isprintable() else " " for c in word).strip() for word in said if word.strip())
    return text[:_LONGEST] or _UNSAID

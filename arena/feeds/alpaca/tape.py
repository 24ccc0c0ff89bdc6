"""The recent trades of one symbol, kept so that one of them can be taken back.

Trades stand in the order of their times. One that is taken back stays as a void: it still explains a
repetition, and the price that takes its place counts from its time on.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

MEMORY = 200

Key = tuple[str, str]
Order = tuple[int, int]


@dataclass(slots=True, eq=False)
class Deal:
    """A trade: `order` sorts it, `key` names it (exchange and number), no price means void."""

    order: Order
    time: int
    key: Key
    price: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """The price that now holds, and since when, in nanoseconds."""

    price: float
    time: int


@dataclass(slots=True)
class Tape:
    """The last trades of a symbol, newest last; the methods return the new price where there is one."""

    _deals: list[Deal] = field(default_factory=list)

    def knows(self, key: Key, time: int) -> bool:
        """Return whether this very trade has been seen; numbers begin anew each day."""
        if not self._deals or time > self._deals[-1].time:
            return False
        return any(deal.key == key and deal.time == time for deal in reversed(self._deals))

    def add(self, deal: Deal) -> Told | None:
        """Take a trade; one that is older than the price that holds changes nothing."""
        self._deals.insert(bisect_right(self._deals, deal.order, key=_order), deal)
        is_newest = self._newest() is deal
        if len(self._deals) > MEMORY:
            del self._deals[0]
        return self._told() if is_newest else None

    def correct(self, key: Key, new_key: Key, price: float | None) -> Told | None:
        """Put another trade in the place of a known one, or nothing where there is no good price."""
        deal = next((deal for deal in reversed(self._deals) if deal.key == key), None)
        if deal is None or deal.price is None:
            return None
        was_newest = self._newest() is deal
        deal.price = None
        place = bisect_right(self._deals, deal.order, key=_order)
        self._deals.insert(place, Deal(deal.order, deal.time, new_key, price))
        return self._told() if was_newest else None

    def cancel(self, key: Key) -> Told | None:
        """Void a known trade."""
        return self.correct(key, key, None)

    def _newest(self) -> Deal | None:
        return next((deal for deal in reversed(self._deals) if deal.price is not None), None)

    def _told(self) -> Told | None:
        """Return the newest good price; after voids it holds from the time of the last of them."""
        time = 0
        for deal in reversed(self._deals):
            time = max(time, deal.time)
            if deal.price is not None:
                return Told(deal.price, time)
        return None


def _order(deal: Deal) -> Order:
    return deal.order

"""The live market: the latest prices of all feeds, and the tasks that run the feeds.

The feeds write from the event loop's thread, the engine reads from its own; one lock guards the data.

A price counts from its *effective time*, the earlier of the venue's event time and our receive time. So a
venue's clock that runs ahead never hides a price that has arrived, and no price counts before its event time.
The tick at T never shows a price effective after T.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from arena.errors import FeedError
from arena.feeds.base import FeedState, LiveFeed, Pace, PriceSink, PriceUpdate, RawFrame, Resolution
from arena.feeds.ownership import SymbolOwners

log = logging.getLogger("arena.feeds.live")

HISTORY_SECONDS = 30.0
_MAX_KEPT = 50_000
_PRUNE_STEP = 1_024


@dataclass(slots=True)
class SymbolSeries:
    """The recent prices of one symbol by effective time, as two lists of the same length."""

    times: list[float] = field(default_factory=list)
    updates: list[PriceUpdate] = field(default_factory=list)
    last_update: float = -math.inf
    prune_at: int = _PRUNE_STEP

    def add(self, update: PriceUpdate, effective: float, history: float) -> None:
        """Insert a price by its time; of two with one time the later to arrive counts."""
        place = bisect_right(self.times, effective)
        self.times.insert(place, effective)
        self.updates.insert(place, update)
        self.last_update = max(self.last_update, effective if update.is_snapshot else update.receive_time)
        if len(self.times) > self.prune_at:
            self._prune(history)

    def at(self, moment: float) -> PriceUpdate | None:
        """Return the last price effective at or before `moment`."""
        place = bisect_right(self.times, moment)
        return self.updates[place - 1] if place else None

    def _prune(self, history: float) -> None:
        # The newest price older than the window stays, since a tick at its edge shows it.
        drop = bisect_right(self.times, self.times[-1] - history) - 1
        drop = max(drop, len(self.times) - _MAX_KEPT, 0)
        del self.times[:drop], self.updates[:drop]
        self.prune_at = len(self.times) + _PRUNE_STEP


@dataclass(frozen=True, slots=True)
class FeedCondition:
    """The state of one feed, its sentence, and since when it is in that state."""

    state: FeedState
    detail: str
    since: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """The age of a symbol's last update and the limit from which it is stale, in seconds."""

    feed: str
    age: float
    limit: float
    open: bool
    halted: str = ""

    @property
    def fresh(self) -> bool:
        """Return whether the symbol may be traded at its price."""
        return self.age <= self.limit and not self.halted

    @property
    def state(self) -> str:
        """Return fresh, halted, closed (no updates are due) or stale."""
        if self.halted:
            return "halted"
        if self.fresh:
            return "fresh"
        return "stale" if self.open else "closed"


class LiveMarket:
    """The latest prices and states of all feeds together, safe to use from several threads.

    Where two feeds have a symbol, the later one's prices count. Prices are kept for `history` seconds before
    a symbol's newest one. A symbol without an update for `stale_intervals` of its feed's expected intervals
    is stale.
    """

    def __init__(
        self,
        feeds: Sequence[LiveFeed] = (),
        *,
        stale_intervals: float = 3.0,
        history: float = HISTORY_SECONDS,
        clock: Callable[[], float] = time.time,
        record: Callable[[RawFrame], None] | None = None,
    ) -> None:
        self._by_name = {feed.name: feed for feed in feeds}
        self._stale_intervals = stale_intervals
        self._history = history
        self._clock = clock
        self._record = record
        self._lock = threading.Lock()
        self._series: dict[str, SymbolSeries] = {}
        self._owners = SymbolOwners(feeds, self._take_over)
        for symbol, earlier, later in self._owners.shared:
            log.warning("Both %s and %s have %s: the price is %s's", earlier, later, symbol, later)
        self._resolved: dict[str, Resolution] = {}
        self._conditions: dict[str, FeedCondition] = {}
        self._refused = 0
        self._overridden = 0

    # -- from the feeds ---------------------------------------------------------------------------

    def on_price(self, update: PriceUpdate) -> None:
        """Take one price; one that is not finite and above 0, or has no finite time, is only counted."""
        effective = min(update.event_time, update.receive_time)
        good = math.isfinite(update.price) and update.price > 0.0
        with self._lock:
            if not (good and math.isfinite(effective) and math.isfinite(update.receive_time)):
                self._refused += 1
                return
            if not self._owners.accepts(update.feed, update.symbol):
                self._overridden += 1
                return
            series = self._series.setdefault(update.symbol, SymbolSeries())
            series.add(update, effective, self._history)

    def _take_over(self, symbol: str, former: str, new: str) -> None:
        """Drop the prices of a symbol's former feed."""
        log.warning("The prices of %s now come from %s; they came from %s before", symbol, new, former)
        self._series.pop(symbol, None)

    def on_resolution(self, resolution: Resolution) -> None:
        """Take the end of a symbol; a later one changes nothing."""
        price = resolution.price
        with self._lock:
            if price is not None and not (math.isfinite(price) and price >= 0.0):
                self._refused += 1
            elif resolution.symbol not in self._resolved:
                self._resolved[resolution.symbol] = resolution

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        """Take a change of a feed's state; `since` moves only when the state itself changes."""
        with self._lock:
            before = self._conditions.get(feed)
            since = before.since if before and before.state is state else self._clock()
            self._conditions[feed] = FeedCondition(state, detail, since)

    def on_frame(self, frame: RawFrame) -> None:
        """Pass a payload to the recording, if there is one."""
        if self._record is not None:
            self._record(frame)

    # -- for the engine ---------------------------------------------------------------------------

    def prices_at(self, moment: float) -> dict[str, float]:
        """Return, by symbol in sorted order, the last price effective at or before `moment`.

        A symbol not seen by then is absent, and so is one that has ended. Always a fresh dict.
        """
        with self._lock:
            ended = {name for name, end in self._resolved.items() if _effective(end) <= moment}
            found = {name: self._series[name].at(moment) for name in sorted(self._series) if name not in ended}
        return {name: update.price for name, update in found.items() if update is not None}

    def resolutions_at(self, moment: float) -> dict[str, Resolution]:
        """Return the symbols that have ended by `moment`."""
        with self._lock:
            return {name: end for name, end in sorted(self._resolved.items()) if _effective(end) <= moment}

    def freshness(self, now: float) -> dict[str, Freshness]:
        """Return the age of every priced symbol's last update.

        Ages count from the receive time, so that a venue with a slow clock or delayed data is not always
        stale. In a closed market they count from the effective time, since a repeated old price is not an
        update.
        """
        with self._lock:
            updated = {name: (each.last_update, each.times[-1]) for name, each in sorted(self._series.items())}
            owners = {name: self._owners.owner(name) or "" for name in updated}
        found = {}
        for name, (received, effective) in updated.items():
            feed = self._by_name.get(owners[name])
            pace = feed.pace(name, now) if feed is not None else Pace(math.inf)
            age = max(0.0, now - (received if pace.open else min(received, effective)))
            found[name] = Freshness(owners[name], age, pace.interval * self._stale_intervals, pace.open, pace.halted)
        return found

    def last(self, symbol: str) -> PriceUpdate | None:
        """Return the symbol's newest price with both of its times."""
        with self._lock:
            series = self._series.get(symbol)
            return series.updates[-1] if series else None

    def age(self, symbol: str, now: float) -> float:
        """Return the seconds since the symbol's last update; infinite if there was none."""
        with self._lock:
            series = self._series.get(symbol)
            return max(0.0, now - series.last_update) if series else math.inf

    def condition(self, feed: str) -> FeedCondition | None:
        """Return the state of a feed, None before its first report."""
        with self._lock:
            return self._conditions.get(feed)

    def status(self) -> dict[str, Any]:
        """Return the feeds and symbols as JSON values for a status page."""
        freshness = self.freshness(self._clock())
        with self._lock:
            conditions = dict(self._conditions)
            newest = {name: series.updates[-1] for name, series in sorted(self._series.items())}
            resolved = dict(self._resolved)
            refused, overridden = self._refused, self._overridden
        return {
            "feeds": {name: self._feed_status(name, condition) for name, condition in conditions.items()},
            "symbols": {name: _symbol_status(update, freshness[name]) for name, update in newest.items()},
            "resolved": {name: {"price": end.price, "detail": end.detail} for name, end in sorted(resolved.items())},
            "refused_prices": refused,
            "overridden_prices": overridden,
        }

    def _feed_status(self, name: str, condition: FeedCondition) -> dict[str, Any]:
        feed = self._by_name.get(name)
        return {
            "state": condition.state.value, "detail": condition.detail, "since": condition.since,
            "counts": dict(sorted(feed.counts.items())) if feed is not None else {},
        }  # fmt: skip


def _effective(end: Resolution) -> float:
    return min(end.event_time, end.receive_time)


def _symbol_status(update: PriceUpdate, fresh: Freshness) -> dict[str, Any]:
    return {
        "price": update.price, "event_time": update.event_time, "receive_time": update.receive_time,
        "feed": fresh.feed, "age": fresh.age, "limit": fresh.limit if math.isfinite(fresh.limit) else None,
        "state": fresh.state,
    }  # fmt: skip


async def run_feeds(feeds: Iterable[LiveFeed], market: PriceSink) -> None:
    """Run all feeds until cancelled; one that fails is reported, and the others go on.

    Returns only when every feed has ended.
    """
    async with asyncio.TaskGroup() as group:
        for feed in feeds:
            group.create_task(_supervise(feed, market), name=f"feed {feed.name}")


async def _supervise(feed: LiveFeed, market: PriceSink) -> None:
    detail = f"The feed {feed.name} ended by itself."
    try:
        await feed.run(market)
        log.error("%s", detail)
    except FeedError as error:
        detail = str(error)
        log.error("The feed %s gave up: %s", feed.name, error)
    except Exception as error:
        detail = f"The feed {feed.name} stopped by a defect of ours: {type(error).__name__}."
        log.exception("The feed %s stopped by a defect of ours", feed.name)
    market.on_state(feed.name, FeedState.FAILED, detail)

"""The market as the live feeds have told it so far, and what keeps the feeds running.

The feeds write from the event loop's thread, the engine reads from its own; one lock lies between.

When a price counts: at its *effective time*, the smaller of the venue's event time and our receive
time. A venue's clock that runs ahead therefore never hides a price that has arrived, and no price
counts before the venue says it was made. Prices effective after T are never shown to the tick at T.
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
from arena.feeds.base import FeedState, Frame, LiveFeed, Pace, PriceSink, PriceUpdate, Resolution

log = logging.getLogger("arena.feeds.live")

HISTORY_SECONDS = 30.0
_MAX_KEPT = 50_000
_PRUNE_STEP = 1_024


@dataclass(slots=True)
class _Series:
    """The recent prices of one symbol by effective time; two lists of one length."""

    times: list[float] = field(default_factory=list)
    updates: list[PriceUpdate] = field(default_factory=list)
    heard: float = -math.inf
    prune_at: int = _PRUNE_STEP

    def add(self, update: PriceUpdate, effective: float, history: float) -> None:
        """Put a price in its place; of two with one time the later to arrive counts."""
        place = bisect_right(self.times, effective)
        self.times.insert(place, effective)
        self.updates.insert(place, update)
        self.heard = max(self.heard, effective if update.recalled else update.receive_time)
        if len(self.times) > self.prune_at:
            self._prune(history)

    def at(self, moment: float) -> PriceUpdate | None:
        """Return the last price effective at or before `moment`."""
        place = bisect_right(self.times, moment)
        return self.updates[place - 1] if place else None

    def _prune(self, history: float) -> None:
        # The newest price older than the window stays: it is what a tick at its edge sees.
        drop = bisect_right(self.times, self.times[-1] - history) - 1
        drop = max(drop, len(self.times) - _MAX_KEPT, 0)
        del self.times[:drop], self.updates[:drop]
        self.prune_at = len(self.times) + _PRUNE_STEP


@dataclass(frozen=True, slots=True)
class FeedCondition:
    """How one feed is doing and since when."""

    state: FeedState
    detail: str
    since: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the news of a symbol are, and how old they may be: seconds, by its feed's own pace."""

    feed: str
    age: float
    limit: float
    open: bool
    halted: str = ""

    @property
    def fresh(self) -> bool:
        """Say whether the symbol may be traded at its price."""
        return self.age <= self.limit and not self.halted

    @property
    def words(self) -> str:
        """Return fresh, halted, closed (no news are due) or stale."""
        if self.halted:
            return "halted"
        if self.fresh:
            return "fresh"
        return "stale" if self.open else "closed"


class LiveMarket:
    """Last prices and feed conditions of all feeds together, safe to use from several threads.

    Where two feeds have a symbol, the later one's prices count. Looking back further than `history`
    seconds before a symbol's newest price is not served. `patience` is how many of its feed's
    expected intervals a symbol may be mute before it is stale.
    """

    def __init__(
        self,
        feeds: Sequence[LiveFeed] = (),
        *,
        patience: float = 3.0,
        history: float = HISTORY_SECONDS,
        clock: Callable[[], float] = time.time,
        record: Callable[[Frame], None] | None = None,
    ) -> None:
        self._by_name = {feed.name: feed for feed in feeds}
        self._ranks = {feed.name: rank for rank, feed in enumerate(feeds)}
        self._patience = patience
        self._history = history
        self._clock = clock
        self._record = record
        self._lock = threading.Lock()
        self._series: dict[str, _Series] = {}
        self._owners = _owners_of(feeds)
        self._resolved: dict[str, Resolution] = {}
        self._conditions: dict[str, FeedCondition] = {}
        self._refused = 0
        self._overridden = 0

    # -- from the feeds ---------------------------------------------------------------------------

    def on_price(self, update: PriceUpdate) -> None:
        """Take one price; one that is no finite number above 0, or has no time, is counted only."""
        effective = min(update.event_time, update.receive_time)
        good = math.isfinite(update.price) and update.price > 0.0
        with self._lock:
            if not (good and math.isfinite(effective) and math.isfinite(update.receive_time)):
                self._refused += 1
                return
            if not self._owns(update.feed, update.symbol):
                self._overridden += 1
                return
            series = self._series.setdefault(update.symbol, _Series())
            series.add(update, effective, self._history)

    def _owns(self, feed: str, symbol: str) -> bool:
        """Say whether this feed sets this symbol's price, and let a later feed take it over."""
        owner = self._owners.setdefault(symbol, feed)
        if owner == feed:
            return True
        if self._ranks.get(feed, -1) < self._ranks.get(owner, -1):
            return False
        log.warning("The prices of %s now come from %s; they came from %s before", symbol, feed, owner)
        self._owners[symbol] = feed
        self._series.pop(symbol, None)
        return True

    def on_resolution(self, resolution: Resolution) -> None:
        """Take the end of a symbol; the first word counts."""
        price = resolution.price
        with self._lock:
            if price is not None and not (math.isfinite(price) and price >= 0.0):
                self._refused += 1
            elif resolution.symbol not in self._resolved:
                self._resolved[resolution.symbol] = resolution

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        """Take a change of a feed's condition; `since` moves only when the state changes."""
        with self._lock:
            before = self._conditions.get(feed)
            since = before.since if before and before.state is state else self._clock()
            self._conditions[feed] = FeedCondition(state, detail, since)

    def on_frame(self, frame: Frame) -> None:
        """Hand a payload to the recording, if there is one."""
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
        """Return how old the news of every priced symbol are.

        Ages count from receipt, so that a venue with a slow clock or delayed data is not always stale;
        of a closed market from the venue's time, since an old price that is told again is no news.
        """
        with self._lock:
            heard = {name: (each.heard, each.times[-1]) for name, each in sorted(self._series.items())}
            owners = {name: self._owners[name] for name in heard}
        found = {}
        for name, (received, effective) in heard.items():
            feed = self._by_name.get(owners[name])
            pace = feed.pace(name, now) if feed is not None else Pace(math.inf)
            age = max(0.0, now - (received if pace.open else min(received, effective)))
            found[name] = Freshness(owners[name], age, pace.interval * self._patience, pace.open, pace.halted)
        return found

    def last(self, symbol: str) -> PriceUpdate | None:
        """Return the symbol's newest price with both of its times."""
        with self._lock:
            series = self._series.get(symbol)
            return series.updates[-1] if series else None

    def age(self, symbol: str, now: float) -> float:
        """Return the seconds since anything was heard of the symbol; infinite if never."""
        with self._lock:
            series = self._series.get(symbol)
            return max(0.0, now - series.heard) if series else math.inf

    def condition(self, feed: str) -> FeedCondition | None:
        """Return how a feed is doing, None before its first word."""
        with self._lock:
            return self._conditions.get(feed)

    def status(self) -> dict[str, Any]:
        """Return the feeds and symbols as plain values for a status page."""
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


def _owners_of(feeds: Iterable[LiveFeed]) -> dict[str, str]:
    """Return whose price of a symbol counts; say where two were asked for it."""
    owners: dict[str, str] = {}
    for feed in feeds:
        for symbol in feed.symbols:
            if symbol in owners:
                log.warning("Both %s and %s have %s: the price is %s's", owners[symbol], feed.name, symbol, feed.name)
            owners[symbol] = feed.name
    return owners


def _effective(end: Resolution) -> float:
    return min(end.event_time, end.receive_time)


def _symbol_status(update: PriceUpdate, fresh: Freshness) -> dict[str, Any]:
    return {
        "price": update.price, "event_time": update.event_time, "receive_time": update.receive_time,
        "feed": fresh.feed, "age": fresh.age, "limit": fresh.limit if math.isfinite(fresh.limit) else None,
        "state": fresh.words,
    }  # fmt: skip


async def run_feeds(feeds: Iterable[LiveFeed], market: PriceSink) -> None:
    """Run all feeds until cancelled; one that fails is named, and the others go on.

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

"""The market as the live feeds have told it so far, and what keeps the feeds running.

The feeds write from the event loop's thread, the engine reads from its own; one lock lies between.

When a price counts: at its *effective time*, the smaller of the venue's event time and our receive
time. A venue's clock that runs ahead therefore never hides a price that has arrived, and no price
counts before the venue says it was made. Prices effective after T are never shown to the tick at T.

At the end of the file, what feeds share: dialling, refusals in words, prices of any spelling.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from arena.errors import FeedError
from arena.feeds.base import FeedState, LiveFeed, PriceSink, PriceUpdate

log = logging.getLogger("arena.feeds.live")

HISTORY_SECONDS = 30.0
# What dialling may raise: a SOCKS proxy without its package is an ImportError, a host name that no
# resolver takes is a ValueError.
DIAL_ERRORS = (OSError, WebSocketException, ImportError, ValueError)
_BAN_SECONDS = 120.0  # where a refusal for too many requests does not say for how long
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
        self.heard = max(self.heard, update.receive_time)
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


class LiveMarket:
    """Last prices and feed conditions, safe to use from several threads.

    Looking back further than `history` seconds before a symbol's newest price is not served.
    """

    def __init__(self, *, history: float = HISTORY_SECONDS, clock: Callable[[], float] = time.time) -> None:
        self._history = history
        self._clock = clock
        self._lock = threading.Lock()
        self._series: dict[str, _Series] = {}
        self._feeds: dict[str, FeedCondition] = {}
        self._refused = 0

    def on_price(self, update: PriceUpdate) -> None:
        """Take one price; one that is no finite number above 0, or has no time, is counted only."""
        effective = min(update.event_time, update.receive_time)
        good = math.isfinite(update.price) and update.price > 0.0
        with self._lock:
            if not (good and math.isfinite(effective) and math.isfinite(update.receive_time)):
                self._refused += 1
                return
            series = self._series.setdefault(update.symbol, _Series())
            series.add(update, effective, self._history)

    def on_state(self, feed: str, state: FeedState, detail: str) -> None:
        """Take a change of a feed's condition; `since` moves only when the state changes."""
        with self._lock:
            before = self._feeds.get(feed)
            since = before.since if before and before.state is state else self._clock()
            self._feeds[feed] = FeedCondition(state, detail, since)

    def prices_at(self, moment: float) -> dict[str, float]:
        """Return, by symbol in sorted order, the last price effective at or before `moment`.

        A symbol not seen by then is absent. Always a fresh dict.
        """
        with self._lock:
            found = {name: self._series[name].at(moment) for name in sorted(self._series)}
        return {name: update.price for name, update in found.items() if update is not None}

    def last(self, symbol: str) -> PriceUpdate | None:
        """Return the symbol's newest price with both of its times."""
        with self._lock:
            series = self._series.get(symbol)
            return series.updates[-1] if series else None

    def age(self, symbol: str, now: float) -> float:
        """Return the seconds since anything was heard of the symbol; infinite if never.

        Counted from receipt, so that a venue with a slow clock or delayed data is not always stale.
        """
        with self._lock:
            series = self._series.get(symbol)
            return max(0.0, now - series.heard) if series else math.inf

    def condition(self, feed: str) -> FeedCondition | None:
        """Return how a feed is doing, None before its first word."""
        with self._lock:
            return self._feeds.get(feed)

    def status(self) -> dict[str, Any]:
        """Return the feeds and symbols as plain values for a status page."""
        now = self._clock()
        with self._lock:
            feeds = dict(self._feeds)
            newest = {name: (s.updates[-1], s.heard) for name, s in self._series.items()}
            refused = self._refused
        return {
            "feeds": {
                name: {"state": c.state.value, "detail": c.detail, "since": c.since} for name, c in feeds.items()
            },
            "symbols": {
                name: {
                    "price": update.price,
                    "event_time": update.event_time,
                    "receive_time": update.receive_time,
                    "age": max(0.0, now - heard),
                }
                for name, (update, heard) in sorted(newest.items())
            },
            "refused_prices": refused,
        }


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


@dataclass(frozen=True, slots=True)
class Setback:
    """An attempt that came to nothing.

    `sentence` is for a person; `stay_away` is how many seconds the venue wants no attempt from us;
    `blocked` means that this address will not serve our location however often it is asked.
    """

    sentence: str
    stay_away: float = 0.0
    blocked: bool = False


def dial(url: str, open_timeout: float) -> connect:
    """Return a connection to await or enter; proxy settings do not apply on this machine."""
    return connect(
        url,
        proxy=None if is_loopback(url) else True,
        open_timeout=open_timeout,
        close_timeout=1.0,
    )


def is_loopback(url: str) -> bool:
    """Return whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def setback_of(error: Exception, url: str) -> Setback:
    """Say in words why no connection came about."""
    host = urlsplit(url).netloc
    if isinstance(error, InvalidStatus):
        return _refused(error, host)
    if isinstance(error, TimeoutError):
        return Setback(f"{host} did not answer in time.")
    return Setback(f"{host} cannot be reached: {error}.")


def _refused(error: InvalidStatus, host: str) -> Setback:
    code = error.response.status_code
    if code == 451:
        return Setback(
            f"{host} does not serve this location (HTTP 451, unavailable for legal reasons); choose another feed.",
            blocked=True,
        )
    if code in {418, 429}:
        wait = _retry_after(error.response.headers.get("Retry-After"))
        what = "has banned this address for a while" if code == 418 else "asks for fewer requests"
        return Setback(f"{host} {what} (HTTP {code}); trying again in {wait:.0f} s.", wait)
    return Setback(f"{host} refused the connection (HTTP {code}).")


def _retry_after(text: str | None) -> float:
    """Return the seconds of a Retry-After header; venues do not use its date form."""
    return float(text) if text and text.isascii() and text.isdigit() else _BAN_SECONDS


def price_of(value: object) -> float | None:
    """Return a price that makes sense, else None; some venues write strings, others numbers."""
    if isinstance(value, bool) or not isinstance(value, str | float | int):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and price > 0.0 else None

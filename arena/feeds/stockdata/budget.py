"""How often StockData.org may be asked: the plan's requests of a UTC day over the hours of the market."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from arena.feeds.market_hours import SHORTER, holidays, is_short

NEW_YORK = ZoneInfo("America/New_York")
DAY = 86_400.0

Hours = tuple[time, time]
REGULAR: Hours = (time(9, 30), time(16))
EXTENDED: Hours = (time(4), time(20))


def us_session(day: date, hours: Hours = REGULAR) -> tuple[float, float] | None:
    """Return when New York opens and closes on a day of its calendar, None on a day without trading."""
    if day.weekday() >= 5 or day in holidays(day.year):
        return None
    opens, closes = (datetime.combine(day, hour, NEW_YORK) for hour in hours)
    if is_short(day):
        closes -= SHORTER
    return opens.timestamp(), closes.timestamp()


def us_session_open(now: float, hours: Hours = REGULAR) -> bool:
    """Say whether New York trades at this time."""
    session = us_session(datetime.fromtimestamp(now, NEW_YORK).date(), hours)
    return session is not None and session[0] <= now < session[1]


def seconds_open(start: float, end: float, hours: Hours = REGULAR) -> float:
    """Return for how many seconds between two times New York trades."""
    day, last = (datetime.fromtimestamp(moment, NEW_YORK).date() for moment in (start, end))
    total = 0.0
    while day <= last:
        if session := us_session(day, hours):
            total += max(0.0, min(session[1], end) - max(session[0], start))
        day += timedelta(days=1)
    return total


def utc_day(now: float) -> str:
    """Return the UTC date that a request at this time is counted on."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


class UsageBook(Protocol):
    """Remembers how many requests were made on each UTC day, across restarts; called from the event loop."""

    def used(self, day: str) -> int:
        """Return how many requests were made on a day such as 2026-07-22."""

    def spend(self, day: str, count: int = 1) -> None:
        """Add requests to a day."""


class MemoryBook:
    """A book that is forgotten with the process; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._days: Counter[str] = Counter()

    def used(self, day: str) -> int:
        """Return how many requests were made on a day."""
        with self._lock:
            return self._days[day]

    def spend(self, day: str, count: int = 1) -> None:
        """Add requests to a day."""
        with self._lock:
            self._days[day] += count


@dataclass(frozen=True, slots=True)
class Budget:
    """The requests of a UTC day; a round is what it takes to ask for every symbol once."""

    daily_requests: int
    round_requests: int
    poll_seconds: float
    hours: Hours
    book: UsageBook

    def rounds_left(self, now: float) -> int:
        """Return how often all symbols can still be asked for today."""
        return self._left(now) // self.round_requests

    def interval(self, now: float) -> float:
        """Return the seconds between two rounds that make today's requests last to the close."""
        midnight = (now // DAY + 1) * DAY
        rounds = max(1, self.rounds_left(now))
        return max(self.poll_seconds, seconds_open(now, midnight, self.hours) / rounds)

    def spend(self, now: float) -> None:
        """Count one request."""
        self.book.spend(utc_day(now))

    def correct(self, now: float, remaining: int) -> None:
        """Take the venue's word that fewer requests remain; more than the setting allows are never used."""
        excess = self._left(now) - max(0, remaining)
        if excess > 0:
            self.book.spend(utc_day(now), excess)

    def _left(self, now: float) -> int:
        return max(0, self.daily_requests - self.book.used(utc_day(now)))

"""Spreads the requests that the plan allows on a UTC day over the hours of the market."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from arena.feeds.base import DailyUsage
from arena.feeds.market_hours import NEW_YORK, SHORTER, holidays, is_short

DAY = 86_400.0

Hours = tuple[time, time]
REGULAR: Hours = (time(9, 30), time(16))
EXTENDED: Hours = (time(4), time(20))


def us_session(day: date, hours: Hours = REGULAR) -> tuple[float, float] | None:
    """Return when New York opens and closes on a date there, None without trading."""
    if day.weekday() >= 5 or day in holidays(day.year):
        return None
    opens, closes = (datetime.combine(day, hour, NEW_YORK) for hour in hours)
    if is_short(day):
        closes -= SHORTER
    return opens.timestamp(), closes.timestamp()


def us_session_open(now: float, hours: Hours = REGULAR) -> bool:
    """Return whether New York trades at this time."""
    session = us_session(datetime.fromtimestamp(now, NEW_YORK).date(), hours)
    return session is not None and session[0] <= now < session[1]


def seconds_open(start: float, end: float, hours: Hours = REGULAR) -> float:
    """Return for how many seconds New York trades between two times."""
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


class MemoryUsage:
    """A DailyUsage kept in memory only; safe to use from several threads."""

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
class RequestBudget:
    """The requests of a UTC day; a round is the requests that every symbol takes once."""

    daily_requests: int
    round_requests: int
    poll_seconds: float
    hours: Hours
    usage: DailyUsage

    def rounds_left(self, now: float) -> int:
        """Return how many rounds today's remaining requests allow."""
        return self._left(now) // self.round_requests

    def interval(self, now: float) -> float:
        """Return the seconds between two rounds that make today's requests last to the close."""
        midnight = (now // DAY + 1) * DAY
        rounds = max(1, self.rounds_left(now))
        return max(self.poll_seconds, seconds_open(now, midnight, self.hours) / rounds)

    def spend(self, now: float) -> None:
        """Count one request."""
        self.usage.spend(utc_day(now))

    def correct(self, now: float, remaining: int) -> None:
        """Lower the requests that remain to the venue's own count; a higher count changes nothing."""
        excess = self._left(now) - max(0, remaining)
        if excess > 0:
            self.usage.spend(utc_day(now), excess)

    def _left(self, now: float) -> int:
        return max(0, self.daily_requests - self.usage.used(utc_day(now)))

"""When US stocks trade, by New York time and the rules of the exchange's holiday calendar.

Calculated here because calendar packages bring pandas. It only decides whether updates are expected: an
unscheduled closure makes symbols stale for a day instead of closed, and nothing else.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)
_FIRST, _OPEN = time(4), time(9, 30)
_CLOSE, _LAST = time(16), time(20)
_EARLY_CLOSE, _EARLY_LAST = time(13), time(17)
SHORTER = timedelta(hours=3)
_MONDAY, _THURSDAY, _SATURDAY, _SUNDAY = 0, 3, 5, 6


class TradingSession(StrEnum):
    """A part of the trading day; extended are the hours before and after the regular ones."""

    CLOSED = "closed"
    EXTENDED = "extended"
    REGULAR = "regular"


def session_at(now: float) -> TradingSession:
    """Return the session of US stocks at a Unix time."""
    local = datetime.fromtimestamp(now, NEW_YORK)
    close, last = _ends(local.date())
    clock = local.time()
    if not _FIRST <= clock < last:
        return TradingSession.CLOSED
    return TradingSession.REGULAR if _OPEN <= clock < close else TradingSession.EXTENDED


@lru_cache(maxsize=16)
def _ends(day: date) -> tuple[time, time]:
    """Return when the regular and the extended session end; both at 00:00 where nothing trades."""
    if day.weekday() >= _SATURDAY or day in holidays(day.year):
        return time(), time()
    return (_EARLY_CLOSE, _EARLY_LAST) if is_short(day) else (_CLOSE, _LAST)


@lru_cache(maxsize=16)
def holidays(year: int) -> frozenset[date]:
    """Return the weekdays of a year on which the exchange is closed."""
    new_year = date(year, 1, 1)
    found = {
        # A New Year's Day on a Saturday has no substitute: Friday ends the accounting year.
        new_year + _DAY if new_year.weekday() == _SUNDAY else new_year,
        _nth(year, 1, _MONDAY, 3),
        _nth(year, 2, _MONDAY, 3),
        _easter(year) - 2 * _DAY,
        _nth(year, 6, _MONDAY, 1) - 7 * _DAY,
        _observed(date(year, 7, 4)),
        _nth(year, 9, _MONDAY, 1),
        _nth(year, 11, _THURSDAY, 4),
        _observed(date(year, 12, 25)),
    }
    if year >= 2022:
        found.add(_observed(date(year, 6, 19)))
    return frozenset(day for day in found if day.weekday() < _SATURDAY)


def is_short(day: date) -> bool:
    """Return whether the regular session of a trading day ends at 13:00."""
    if (day.month, day.day) in {(7, 3), (12, 24)}:
        return day.weekday() <= _THURSDAY
    return day == _nth(day.year, 11, _THURSDAY, 4) + _DAY


def _observed(day: date) -> date:
    """Return the weekday on which a holiday is observed, another one if it falls on a weekend."""
    return day + {_SATURDAY: -_DAY, _SUNDAY: _DAY}.get(day.weekday(), 0 * _DAY)


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _easter(year: int) -> date:
    """Return Easter Sunday in the Gregorian calendar, by the anonymous computus of 1876."""
    golden, (century, rest) = year % 19, divmod(year, 100)
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    shift = (golden + 11 * moon + 22 * sunday) // 451
    month, day = divmod(moon + sunday - 7 * shift + 114, 31)
    return date(year, month, day + 1)

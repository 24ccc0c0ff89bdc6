"""The dates of a season, and times and lengths of time as people write them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from arena.core.season_rules import SeasonRules

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "": 1.0}
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw]?)")
_LATEST = 253_370_764_800.0  # the year 9999


@dataclass(frozen=True, slots=True)
class SeasonDates:
    """When a season begins and ends, and until when bots may come in."""

    starts_at: float | None = None
    ends_at: float | None = None
    entry_deadline: float | None = None

    def problem(self, now: float) -> str | None:
        """Return why a season cannot have these dates, None where it can."""
        starts, ends, deadline = self.starts_at, self.ends_at, self.entry_deadline
        if starts is not None and starts <= now:
            return f"A season cannot start in the past: {spoken(starts)} is over."
        if ends is not None and ends <= now:
            return f"A season cannot end in the past: {spoken(ends)} is over."
        if starts is not None and ends is not None and ends <= starts:
            return f"A season must end after it starts: {spoken(ends)} is not after {spoken(starts)}."
        if deadline is not None and deadline <= now:
            return f"The entry deadline cannot lie in the past: {spoken(deadline)} is over."
        if deadline is not None and ends is not None and deadline > ends:
            return f"The entry deadline must not be after the end: {spoken(deadline)} is after {spoken(ends)}."
        return None


# A season that begins when it is opened, and ends when it is closed.
AT_ONCE = SeasonDates()


def spoken(time: float) -> str:
    """Return a time as people read it, to the second, in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def read_length(text: str) -> float:
    """Return the seconds of a length of time like 7d, 12h, 90m or 3600; ValueError says what it may be."""
    found = _LENGTH.fullmatch(text.strip().lower())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0.0 < seconds < _LATEST:
        raise ValueError(f"'{text}' is no length of time; write it like 7d, 12h, 90m or 3600s.")
    return seconds


def read_moment(text: str, since: float) -> float:
    """Return a time as Unix seconds; ValueError says what it may be.

    `text` is ISO 8601 (UTC where it names no zone), Unix seconds, or + and a length of time after `since`.
    """
    words = text.strip()
    if words.startswith("+"):
        return since + read_length(words[1:])
    try:
        time = float(words)
    except ValueError:
        try:
            moment = datetime.fromisoformat(words)
        except ValueError:
            raise ValueError(
                f"'{text}' is no time; write it like 2026-01-31T18:00Z, as Unix seconds, or +7d for in seven days."
            ) from None
        time = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not (math.isfinite(time) and 0.0 < time < _LATEST):
        raise ValueError(f"'{text}' is no time between 1970 and 9999.")
    return time


def read_dates(
    starts: str | None, ends: str | None, deadline: str | None, now: float, length: float | None = None
) -> SeasonDates:
    """Return the dates that these words say; ValueError says what is wrong with them.

    What follows a + counts from the start, the start's own from now. Without an end it comes `length` after the start.
    """
    starts_at = read_moment(starts, now) if starts else None
    begins = now if starts_at is None else starts_at
    ends_at = read_moment(ends, begins) if ends else None if length is None else begins + length
    found = SeasonDates(starts_at, ends_at, read_moment(deadline, begins) if deadline else None)
    problem = found.problem(now)
    if problem is not None:
        raise ValueError(problem)
    return found


def entry_problem(number: int, rules: SeasonRules, now: float, following: float | None) -> str | None:
    """Return why no bot can come into a season any more, None while one can.

    `following` is when the next season begins, None where that is not known.
    """
    deadline = rules.entry_deadline
    if deadline is None or now <= deadline:
        return None
    after = "when the operator opens it" if following is None else f"at {spoken(following)}"
    ends = "" if rules.ends_at is None or following is not None else f" (it ends at {spoken(rules.ends_at)})"
    return f"Season {number} took bots until {spoken(deadline)}{ends}; the next season begins {after}."

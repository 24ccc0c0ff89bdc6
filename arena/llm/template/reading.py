"""What the readers of all plans share."""

from __future__ import annotations

from arena.llm.template.quantities import checked_period
from arena.llm.template.text import CannotReadError

AVERAGES = (
    r"\b(?:(?:exponential|simple|arithmetic)[ -])?(?:moving[ -]averages?|averages?|means?)\b"
    r"|\b(?:ema|sma|ma)s?\b(?:[ -]?lines?)?|\bexponential\b|\bsimple\b"
)


class Notes(list[str]):
    """What was filled in without being asked for; the author is told."""


def default_period(periods: list[int], default: int, notes: Notes, least: int = 2) -> int:
    """Return the one look-back named, or the default with a note."""
    if len(set(periods)) > 1:
        raise CannotReadError("It names more look-backs than this strategy has.", str(periods[-1]))
    if not periods:
        notes.append(f"No look-back was given, so it is {default} ticks.")
        return default
    return checked_period(periods[0], least)

"""What the readers of all signal strategies share."""

from __future__ import annotations

from arena.llm.template.clauses import Clauses
from arena.llm.template.quantities import checked_period
from arena.llm.template.text import CannotReadError

OPPOSITE = "It contradicts itself: it would buy and sell on the same condition."
AVERAGES = (
    r"\b(?:(?:exponential|simple|arithmetic)[ -])?(?:moving[ -]averages?|averages?|means?)\b"
    r"|\b(?:ema|sma|ma)s?\b(?:[ -]?lines?)?|\bexponential\b|\bsimple\b"
)


class Notes(list[str]):
    """What was filled in without being asked for; the author is told."""


def contrary(clauses: Clauses) -> bool:
    """Tell whether it buys on the way down; refuse a text whose sides contradict."""
    if clauses.buy is None and clauses.sell is not None:
        raise CannotReadError("It says when to sell and never when to buy.")
    buy = clauses.general.up
    if clauses.buy is not None and clauses.buy.up is not None:
        buy = clauses.buy.up
    sell = clauses.sell.up if clauses.sell is not None else None
    if buy is None:
        return sell is True
    if sell is buy:
        raise CannotReadError(OPPOSITE)
    return not buy


def default_period(periods: list[int], default: int, notes: Notes, least: int = 2) -> int:
    """Return the one look-back named, or the default with a note."""
    if len(set(periods)) > 1:
        raise CannotReadError("It names more look-backs than this strategy has.", str(periods[-1]))
    if not periods:
        notes.append(f"No look-back was given, so it is {default} ticks.")
        return default
    return checked_period(periods[0], least)

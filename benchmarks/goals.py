"""What a goal is: one figure of a benchmark's JSON, the bound it has to keep, and what stood beside it.

A figure is named by its place: names with `/` between them, and `bots=100` for the row of a list that has this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure with its bound; without a bound it is only shown.

    `beside` is a sentence with a `{}` for each of `places`. `scale` turns the figure into its `unit`.
    """

    words: str
    place: str
    unit: str
    bound: float | None = None
    beside: str = ""
    places: tuple[str, ...] = ()
    at_most: bool = False
    scale: float = 1.0

    def is_met(self, value: float) -> bool:
        """Say whether a value keeps the bound."""
        if self.bound is None:
            return True
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a benchmark's JSON as they are: a list of them, or a mapping whose keys are their names."""

    caption: str
    place: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What one benchmark answers, as a reader asks it."""

    bench: str
    title: str
    meaning: str
    goals: tuple[Goal, ...]
    tables: tuple[Table, ...] = ()


def pick(figures: Any, place: str) -> Any:
    """Return what stands at a place; None where there is nothing."""
    for step in place.split("/") if place else ():
        name, is_row, value = step.partition("=")
        if is_row and isinstance(figures, list):
            figures = next((row for row in figures if str(row.get(name)) == value), None)
        elif isinstance(figures, dict):
            figures = figures.get(step)
        else:
            return None
    return figures


def number(value: object) -> str:
    """Return a number with about three digits, thousands apart; a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def verdict(goal: Goal, value: object, *, quick: bool) -> str:
    """Return the last cell of a goal's row; a run at small sizes decides nothing."""
    if not isinstance(value, int | float):
        return "not measured"
    if goal.bound is None or quick:
        return "quick run" if quick else "-"
    return "met" if goal.is_met(value * goal.scale) else "**missed**"


def goal_row(goal: Goal, figures: Any, *, quick: bool = False) -> Sequence[str]:
    """Return the cells: what, goal, measured, beside it, verdict."""
    value = pick(figures, goal.place)
    wanted = "-" if goal.bound is None else f"{'≤' if goal.at_most else '≥'} {number(goal.bound)}{goal.unit}"
    if not isinstance(value, int | float):
        return goal.words, wanted, "-", "-", verdict(goal, value, quick=quick)
    measured = f"{number(value * goal.scale)}{goal.unit}"
    spread = pick(figures, f"{goal.place}_range")
    if isinstance(spread, list):
        measured += f" ({number(spread[0] * goal.scale)} to {number(spread[1] * goal.scale)})"
    beside = goal.beside.format(*(number(pick(figures, place)) for place in goal.places)) or "-"
    return goal.words, wanted, measured, beside, verdict(goal, value, quick=quick)

"""Reading returns to the mean: standard deviations, z-scores, percent, Bollinger bands."""

from __future__ import annotations

from arena.llm.template.clauses import Clause, Clauses, take_clauses
from arena.llm.template.intents import Band, Bollinger, Reversion, Unit
from arena.llm.template.quantities import number, take_periods
from arena.llm.template.reading import AVERAGES, Notes, contrary, default_period
from arena.llm.template.text import NUMBER, CannotReadError, Text


def read_bollinger(text: Text, tick: float, notes: Notes) -> Bollinger:
    """Read Bollinger bands: look-back, width, and which band means what."""
    pair = text.take(rf"({NUMBER}) ?[,/] ?({NUMBER})(?: ?(?:std|sd|standard deviations?|sigma)s?\b)?")
    periods = [int(number(pair[1]))] if pair else take_periods(text, tick)
    text.take_all(r"\bbollinger(?: bands?)?|\bbbands?\b|\bbb\b|\bmean[- ]?rever\w+|\bbreak-?outs?\b")
    clauses = take_clauses(text)
    text.take_all(AVERAGES)
    clauses.refuse_extras("stds", "bands")
    sides = (clauses.general, clauses.buy, clauses.sell)
    widths = {abs(value) for side in sides if side for value in side.stds}
    widths |= {number(pair[2])} if pair else set()
    if len(widths) > 1 or not all(0 < width <= 10 for width in widths):
        raise CannotReadError("Bollinger bands need one width, above 0 and at most 10 deviations.")
    if not widths:
        notes.append("No width was given, so the bands are 2 standard deviations wide.")
    if clauses.buy is None and clauses.sell is not None:
        raise CannotReadError("It says when to sell and never when to buy.")
    buy = _band(clauses.buy, "lower")
    sell = _band(clauses.sell, "upper" if buy == "lower" else "middle")
    if buy in {"middle", sell}:
        raise CannotReadError("It must buy at one outer band and sell at another band.")
    return Bollinger(default_period(periods, 20, notes), widths.pop() if widths else 2.0, buy, sell)


def _band(clause: Clause | None, default: Band) -> Band:
    if clause is None:
        return default
    bands = [b for b in clause.bands if b != "middle"] or clause.bands
    if len(set(bands)) > 1:
        raise CannotReadError("It names two bands for one side.", *clause.words["bands"])
    name = bands[0] if bands else {True: "upper", False: "lower", None: default}[clause.up]
    if (name, clause.up) in {("lower", True), ("upper", False)}:
        raise CannotReadError("I can act when the price leaves a band, not when it comes back inside.", name)
    return "lower" if name == "lower" else "upper" if name == "upper" else "middle"


def read_reversion(text: Text, tick: float, notes: Notes) -> Reversion:
    """Read a return to the mean, in standard deviations, z-scores or percent."""
    scores = bool(text.take_all(r"\bz[- ]?scores?\b|\bz\b"))
    periods = take_periods(text, tick)
    text.take_all(r"\bmean[- ]?rever\w+|\bstatistical\b|\brever(?:sion|ting)\b|\brolling\b")
    clauses = take_clauses(text)
    text.take_all(AVERAGES + r"|\b(?:std|standard deviations?|deviations?)\b")
    clauses.refuse_extras("stds", "pcts", "bands", *(("nums",) if scores else ()))
    if clauses.buy is not None and not contrary(clauses) and (clauses.buy.up or clauses.general.up):
        raise CannotReadError("Reversion buys below the mean and sells above it.", "above")
    sides = [side for side in (clauses.general, clauses.buy, clauses.sell) if side]
    if clauses.buy and any(value > 0 for value in clauses.buy.nums):
        raise CannotReadError("A z-score to buy at must be below zero, such as -2.", "z-score")
    percents = any(side.pcts for side in sides)
    if percents and any(side.stds or side.nums for side in sides):
        raise CannotReadError("It mixes percent and standard deviations.", "%")
    period = default_period(periods, 20 if percents else 50, notes)
    if not any(side.pcts or side.stds or side.nums for side in sides):
        notes.append("No distance was given, so it buys 2 standard deviations below the mean.")
    return reversion(clauses, "percent" if percents else "std", period)


def reversion(clauses: Clauses, unit: Unit, period: int) -> Reversion:
    """Return the intent whose distances the clauses name."""

    def amounts(side: Clause | None) -> list[float]:
        return [] if side is None else side.pcts if unit == "percent" else side.stds + side.nums

    entries = amounts(clauses.buy) or amounts(clauses.general) or [2.0]
    leaves = amounts(clauses.sell) or [0.0]
    if len(entries) > 1 or len(leaves) > 1:
        raise CannotReadError("It names more distances from the mean than one for each side.")
    sell = clauses.sell
    below = bool(sell and (sell.up is False and not sell.bands))
    entry, leave = abs(entries[0]), leaves[0]
    if below or not 0 < entry <= (99 if unit == "percent" else 10) or not -entry < leave <= 100:
        raise CannotReadError("Reversion buys a sensible distance below the mean and sells nearer to it or above it.")
    scale = 0.01 if unit == "percent" else 1.0
    return Reversion(period, unit, round(entry * scale, 12), round(leave * scale, 12))

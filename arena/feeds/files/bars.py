"""Bars: which of their four numbers is the close, how long they are, and that each is known only at its end."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from arena.feeds.files.report import Bools, Floats, Report
from arena.feeds.files.series import SymbolPrices

Series = dict[str, tuple[Floats, Floats]]
Order = tuple[int, int, int, int]

_DAY = 86400.0
_CALENDAR = ((28, 31), (89, 92), (181, 184), (365, 366))  # days
_SLACK = 1 + 1e-6  # prices are rounded
NEARLY = 0.95  # share of rows that must be candles
# Open, high, low and close by place, in the order of trust: most venues; Bitfinex and Jesse; Coinbase.
_KNOWN: tuple[Order, ...] = ((0, 1, 2, 3), (0, 2, 3, 1), (2, 1, 0, 3), (2, 0, 1, 3), (0, 2, 1, 3))
_TELLING = 3  # rows from which on their order in time tells open and close apart


def are_candles(opens: Floats, highs: Floats, lows: Floats, closes: Floats) -> Bools:
    """Mark the rows in which nothing leaves low to high."""
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    return np.asarray((top <= highs * _SLACK) & (bottom * _SLACK >= lows))


def candle_order(numbers: Floats, *, in_time: bool = True) -> tuple[Order, float] | None:
    """Return which of four columns are open, high, low and close, and how far high is above low; None if they are none.

    Which is high and low the numbers tell. Open and close stand as one of the known orders has them,
    unless the closes of the other order meet the next opens clearly better; that can be told `in_time`, of
    rows that run forward.
    """
    sound = numbers[np.isfinite(numbers).all(axis=1) & (numbers > 0).all(axis=1)]
    if not len(sound) or len(sound) * 2 < len(numbers):
        return None
    fitting = [order for order in permutations(range(4)) if _fits(sound, order)]
    if not fitting:
        return None
    order = next((known for known in _KNOWN if known in fitting), fitting[0])
    opens, highs, lows, closes = order
    other = (closes, highs, lows, opens)
    if in_time and len(sound) >= _TELLING and _distance(sound, other) < 0.5 * _distance(sound, order):
        order = other
    spread = float(np.median(sound[:, highs] / sound[:, lows]))
    return (order[0], order[1], order[2], order[3]), spread


def _fits(numbers: Floats, order: tuple[int, ...]) -> bool:
    opens, highs, lows, closes = (numbers[:, place] for place in order)
    return float(are_candles(opens, highs, lows, closes).mean()) >= NEARLY


def _distance(numbers: Floats, order: tuple[int, ...]) -> float:
    """Return how far closes are from the next opens."""
    return float(np.abs(numbers[1:, order[0]] - numbers[:-1, order[3]]).sum())


def common_step(times: list[Floats]) -> float | None:
    """Return the most common step between two bars of a symbol, or None; each array has the times of one."""
    steps = np.concatenate([np.diff(np.unique(own)) for own in times] or [np.empty(0)])
    if not steps.size:
        return None
    values, counts = np.unique(np.round(steps, 6), return_counts=True)
    step = float(values[np.argmax(counts)])
    # Months, quarters and years are not all of one length; none may end before it does.
    return next((most * _DAY for least, most in _CALENDAR if least * _DAY <= step <= most * _DAY), step)


def count_gaps(series: Series, step: float, report: Report) -> None:
    """Count the gaps between bars and how many bars are missing in them."""
    for times, _ in series.values():
        steps = np.diff(times)
        wide = steps[steps > 1.5 * step]
        report.count("gaps", len(wide))
        report.count("missing_bars", int(np.round(wide / step - 1).sum()))


def at_close(series: Series, step: float) -> Series:
    """Move bars that are labelled at their open to their close."""
    return {symbol: (times + step, prices) for symbol, (times, prices) in series.items()}


def count_pauses(symbol: str, line: SymbolPrices, report: Report) -> None:
    """Do the same for the steps in time that one line has taken note of."""
    usual = line.moving - len(line.pauses)
    if line.rows < 3 or not line.pauses or not usual:
        return
    pauses = sorted(line.pauses)
    step = (line.last - line.first - sum(length for _, length in pauses)) / usual
    jumps = [pause for pause in pauses if pause[1] > 1000 * step]
    report.count("clock_jump", len(jumps))
    if jumps:
        begin, length = max(jumps, key=lambda jump: jump[1])
        report.remark(
            f"{symbol or 'The price'} stands still for {length:,.0f} s after {begin:.3f}; "
            "the clock jumped or the market was closed."
        )

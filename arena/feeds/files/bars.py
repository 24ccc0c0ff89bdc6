"""Bars: each is known at its close, one bar length after its open."""

from __future__ import annotations

import numpy as np

from arena.feeds.files.line import Line
from arena.feeds.files.tape import Floats, Report

Series = dict[str, tuple[Floats, Floats]]


def common_step(series: Series) -> float | None:
    """Return the most common step between two bars of a symbol, or None."""
    steps = np.concatenate([np.diff(times) for times, _ in series.values()])
    steps = steps[steps > 0]
    if not steps.size:
        return None
    values, counts = np.unique(np.round(steps, 6), return_counts=True)
    return float(values[np.argmax(counts)])


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


def count_pauses(symbol: str, line: Line, report: Report) -> None:
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

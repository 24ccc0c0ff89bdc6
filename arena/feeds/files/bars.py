"""Bars: each is known at its close, one bar length after its open."""

from __future__ import annotations

import numpy as np

from arena.feeds.files.tape import Floats, Report

_QUIET = 6 * 3600.0  # seconds; less is a thin market, not a clock

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


def count_silences(series: Series, report: Report) -> None:
    """Count jumps in time that do not fit a stream of trades, and say where the longest is."""
    for symbol, (times, _) in series.items():
        steps = np.diff(times)
        if len(steps) < 2 or steps.max() <= _QUIET:
            continue
        moving = steps[steps > 0]
        jumps = np.flatnonzero(steps > max(_QUIET, 1000 * float(np.median(moving))))
        report.count("clock_jump", len(jumps))
        if jumps.size:
            place = int(jumps[np.argmax(steps[jumps])])
            report.remark(
                f"{symbol or 'The price'} stands still for {steps[place]:,.0f} s after "
                f"{times[place]:.3f}; the clock jumped or the market was closed."
            )

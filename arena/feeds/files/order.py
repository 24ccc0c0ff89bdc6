"""Which rows of a file count, and in which order: time runs forward, and what cannot be a price goes.

Of rows out of order the late ones go. Only where one early row, a clock that jumped ahead, would
condemn the many rows after it is that row the one to go.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

import numpy as np

from arena.feeds.files.report import Bools, Floats, Report, Rows
from arena.feeds.files.times import EARLIEST

UNJUST = 10  # late rows per early row from which the early row is the wrong one
_MOSTLY = 0.9  # share of steps that must go back for a file to be newest-first


def is_backward(back: int, moved: int) -> bool:
    """Tell whether rows stand newest first, by how many of their steps in time go back."""
    return back > _MOSTLY * moved


def usable(rows: Rows, report: Report) -> Rows:
    """Drop and count rows without a time, a symbol, or a finite positive price."""
    if not len(rows.times) or _sound(rows):
        return rows
    lost = ~(rows.times >= EARLIEST) | np.isinf(rows.times)
    if rows.broken is not None:
        lost |= rows.broken
    if rows.codes is not None:
        lost |= rows.codes < 0
    strange = ~lost & ~np.isfinite(rows.prices)
    low = ~lost & ~strange & (rows.prices <= 0)
    report.count("unparsable", int(lost.sum()))
    report.count("not_a_number", int(strange.sum()))
    report.count("not_positive", int(low.sum()))
    bad = lost | strange | low
    return rows.take(~bad) if bad.any() else rows


def _sound(rows: Rows) -> bool:
    """Tell in few passes that nothing is wrong; NaN makes every comparison false."""
    return bool(
        rows.broken is None
        and rows.times.min() >= EARLIEST
        and rows.prices.min() > 0
        and np.isfinite(rows.times.max() + rows.prices.max())
        and (rows.codes is None or rows.codes.min() >= 0)
    )


def kept(times: Floats) -> Bools:
    """Mark the rows that stay, of times that should run forward."""
    keep: Bools = times >= np.maximum.accumulate(times)
    late = int((~keep).sum())
    if late <= UNJUST:
        return keep
    longest = _longest(times)
    return longest if late > UNJUST * int((~longest).sum()) else keep


def _longest(times: Floats) -> Bools:
    """Mark the longest run of rows that never goes back; what is in order anyway needs no search."""
    keep = np.ones(len(times), dtype=bool)
    least_after = np.minimum.accumulate(times[::-1])[::-1]
    whole = np.maximum.accumulate(times)[:-1] <= least_after[1:]
    borders = np.concatenate([[0], np.flatnonzero(whole) + 1, [len(times)]])
    del least_after, whole
    for place in np.flatnonzero(np.diff(borders) > 1):
        tangle = slice(int(borders[place]), int(borders[place + 1]))
        keep[tangle] = _longest_run(times[tangle])
    return keep


def _longest_run(times: Floats) -> Bools:
    """Mark the longest run of rows that never goes back, which costs the fewest rows.

    Patience sorting from the end, so that of two rows that exclude each other the earlier stays.
    """
    tops = array("d")
    heads = array("q")
    before = np.full(len(times), -1)
    for place in range(len(times) - 1, -1, -1):
        value = -float(times[place])
        pile = bisect_right(tops, value)
        if pile == len(tops):
            tops.append(value)
            heads.append(place)
        else:
            tops[pile] = value
            heads[pile] = place
        before[place] = heads[pile - 1] if pile else -1
    keep = np.zeros(len(times), dtype=bool)
    place = heads[-1]
    while place >= 0:
        keep[place] = True
        place = int(before[place])
    return keep


def in_order(times: Floats, prices: Floats, report: Report) -> tuple[Floats, Floats]:
    """Return bars in the order of time, and say in which other one they stood."""
    steps = np.diff(times)
    back = int((steps < 0).sum())
    if not back:
        return times, prices
    if is_backward(back, int((steps != 0).sum())):
        report.defects["reversed"] = 1
        times, prices = times[::-1], prices[::-1]
    late = int((times < np.maximum.accumulate(times)).sum())
    if not late:
        return times, prices
    report.count("sorted", late)
    order = np.argsort(times, kind="stable")
    return times[order], prices[order]


def last_of_each_time(times: Floats, prices: Floats, report: Report) -> tuple[Floats, Floats]:
    """Keep the last row of each time, for bars and tables have one price a time."""
    last = np.append(times[1:] != times[:-1], values=True)
    report.count("duplicate_time", int((~last).sum()))
    return (times, prices) if last.all() else (times[last], prices[last])

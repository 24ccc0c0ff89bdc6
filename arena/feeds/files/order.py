"""From raw rows to clean series: what cannot be a price goes, and time runs forward.

Of rows out of order the late ones go. Only where one early row, a clock that jumped ahead, would
condemn the many rows after it is that row the one to go.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Bools, Codes, Floats, Report, Rows

_MOSTLY = 0.9  # share of steps that must go back for a file to be newest-first
_UNJUST = 10  # late rows per early row from which the early row is the wrong one


def tidy(rows: Rows, report: Report) -> Rows:
    """Return the rows that can be used, in order of time; the report counts the others."""
    rows = _usable(rows, report)
    if len(rows.times) < 2 or not (rows.times[1:] < rows.times[:-1]).any():
        return rows
    if _stacked(rows.codes):
        return _unstack(rows, report)
    return _forward(rows, report)


def _usable(rows: Rows, report: Report) -> Rows:
    """Drop rows without a time, a symbol, or a finite positive price."""
    if not len(rows.times) or _sound(rows):
        return rows
    lost = ~(rows.times >= 0) | np.isinf(rows.times)
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
        and rows.times.min() >= 0
        and rows.prices.min() > 0
        and np.isfinite(rows.times.max() + rows.prices.max())
        and (rows.codes is None or rows.codes.min() >= 0)
    )


def _stacked(codes: Codes | None) -> bool:
    """Tell whether a file holds one symbol's rows after the other's."""
    if codes is None:
        return False
    runs = 1 + int((np.diff(codes) != 0).sum())
    return 1 < runs == len(np.unique(codes)) < len(codes)


def _unstack(rows: Rows, report: Report) -> Rows:
    """Put each symbol's rows in order, then lay them side by side in time."""
    if rows.codes is None:
        return rows
    report.remark("The file holds its symbols one after the other; they were merged by time.")
    borders = np.flatnonzero(np.diff(rows.codes)) + 1
    parts = np.split(np.arange(len(rows.codes)), borders)
    kept = np.concatenate([part[_order(rows.times[part], report)] for part in parts])
    return rows.take(kept[np.argsort(rows.times[kept], kind="stable")])


def _forward(rows: Rows, report: Report) -> Rows:
    return rows.take(_order(rows.times, report))


def _order(times: Floats, report: Report) -> npt.NDArray[np.intp]:
    """Return the places of the rows to keep, in order of time."""
    places = np.arange(len(times))
    steps = np.diff(times)
    steps = steps[steps != 0]
    if steps.size and (steps < 0).sum() > _MOSTLY * steps.size:
        report.defects["reversed"] = 1
        places = places[::-1]
    keep = _keep(times[places])
    report.count("out_of_order", int((~keep).sum()))
    return places[keep]


def _keep(times: Floats) -> Bools:
    keep: Bools = times >= np.maximum.accumulate(times)
    late = int((~keep).sum())
    if late <= _UNJUST:
        return keep
    longest = _longest_run(times)
    return longest if late > _UNJUST * int((~longest).sum()) else keep


def _longest_run(times: Floats) -> Bools:
    """Mark the longest run of rows that never goes back, which costs the fewest rows.

    Patience sorting from the end, so that of two rows that exclude each other the earlier stays.
    """
    tops: list[float] = []
    heads: list[int] = []
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


def split(rows: Rows) -> dict[str, tuple[Floats, Floats]]:
    """Return times and prices by symbol; rows without symbols come back under the empty name."""
    if rows.codes is None:
        return {"": (rows.times, rows.prices)}
    if len(rows.symbols) == 1:
        return {rows.symbols[0]: (rows.times, rows.prices)}
    order = np.argsort(rows.codes, kind="stable")
    borders = np.searchsorted(rows.codes[order], np.arange(1, len(rows.symbols)))
    return {
        symbol: (rows.times[part], rows.prices[part])
        for symbol, part in zip(rows.symbols, np.split(order, borders), strict=True)
        if part.size
    }


def last_of_each_time(times: Floats, prices: Floats, report: Report) -> tuple[Floats, Floats]:
    """Keep the last row of each time, for bars and tables have one price a time."""
    last = np.append(times[1:] != times[:-1], values=True)
    report.count("duplicate_time", int((~last).sum()))
    return (times, prices) if last.all() else (times[last], prices[last])

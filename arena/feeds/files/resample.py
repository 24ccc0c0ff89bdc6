"""Several tapes to one market: one row of prices per tick, the last price at or before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import itemgetter

import numpy as np

from arena.errors import MarketDataError
from arena.feeds.base import MOST_CELLS, History
from arena.feeds.files.bars import Series
from arena.feeds.files.report import Floats, Report, RowKind, Tape


def assemble(
    tapes: Sequence[Tape], *, interval: float | None, default_interval: float, most_cells: int = MOST_CELLS
) -> History:
    """Return the market of all tapes, of at most `most_cells` prices; trades, frames, an interval need the grid."""
    total = Report("All files")
    series = merged(tapes, total)
    ends = _ends(tapes, series)
    symbols = tuple(sorted(series))
    sampled = interval is not None or any(tape.kind is RowKind.TRADES for tape in tapes)
    grid = default_interval if interval is None else interval
    times = _grid(series, ends, grid, most_cells) if sampled else _own_times(series)
    if len(times) * len(symbols) > most_cells:
        raise MarketDataError(
            f"The market has {len(times):,} times of {len(symbols):,} symbols, more than {most_cells:,} prices in all; "
            "give fewer symbols, or a longer --interval.",
            usage=True,
        )
    prices = np.full((len(times), len(symbols)), np.nan)
    for column, symbol in enumerate(symbols):
        own, values = series[symbol]
        if own is times:
            prices[:, column] = values
        else:
            places = np.searchsorted(own, times, side="right") - 1
            seen = int(np.searchsorted(places, 0))
            prices[seen:, column] = values[places[seen:]]
        if symbol in ends:
            prices[np.searchsorted(times, ends[symbol][0]) :, column] = np.nan
    reports = [*(tape.report for tape in tapes), total]
    return History(
        symbols,
        times,
        prices,
        [note for report in reports for note in report.notes()],
        summed(reports),
        ends,
        _halts(tapes, series),
    )


def _ends(tapes: Sequence[Tape], series: Series) -> dict[str, tuple[float, float | None]]:
    """Return when and at what price each priced symbol ended; the first word counts."""
    told = [found for tape in tapes for found in tape.ends.items() if found[0] in series]
    return dict(sorted(told, key=lambda found: found[1][0], reverse=True))


def _halts(tapes: Sequence[Tape], series: Series) -> dict[str, list[tuple[float, str]]]:
    """Return when the trading of each priced symbol was halted and went on, in the order of time."""
    told: dict[str, list[tuple[float, str]]] = {}
    for tape in tapes:
        for symbol in tape.halts.keys() & series.keys():
            told.setdefault(symbol, []).extend(tape.halts[symbol])
    return {symbol: sorted(changes, key=itemgetter(0)) for symbol, changes in told.items()}


def summed(reports: Sequence[Report]) -> dict[str, int]:
    """Return the defects of several reports together."""
    defects: dict[str, int] = {}
    for report in reports:
        for kind, number in report.defects.items():
            defects[kind] = defects.get(kind, 0) + number
    return defects


def merged(tapes: Sequence[Tape], report: Report) -> Series:
    """Join the files of each symbol; the same time in two files is the later file's."""
    holders: dict[str, list[Tape]] = {}
    for tape in tapes:
        for symbol in tape.series:
            holders.setdefault(symbol, []).append(tape)
    return {symbol: _joined(symbol, found, report) for symbol, found in holders.items()}


def _joined(symbol: str, tapes: list[Tape], report: Report) -> tuple[Floats, Floats]:
    if len(tapes) == 1:
        return tapes[0].series[symbol]
    spans = sorted((tape.fact(symbol).first, tape.fact(symbol).last) for tape in tapes)
    apart = all(one[1] < two[0] for one, two in pairwise(spans))
    if not apart:
        report.count("overridden", _overridden(symbol, tapes))
    times = np.concatenate([tape.series[symbol][0] for tape in tapes])
    prices = np.concatenate([tape.series[symbol][1] for tape in tapes])
    order = np.argsort(times, kind="stable")
    times, prices = times[order], prices[order]
    if apart:
        return times, prices
    last = np.append(times[1:] != times[:-1], values=True)
    return times[last], prices[last]


def _overridden(symbol: str, tapes: list[Tape]) -> int:
    """Count the rows of each file whose time a later one has as well, where any two of them overlap."""
    facts = [tape.fact(symbol) for tape in tapes]
    begin, end = sorted(fact.first for fact in facts)[1], sorted(fact.last for fact in facts)[-2]
    later = _times(tapes[-1], symbol, begin, end)
    number = 0
    for tape in reversed(tapes[:-1]):
        own = _times(tape, symbol, begin, end)
        number += int(np.isin(own, later).sum())
        later = np.union1d(later, own)
    return number


def _times(tape: Tape, symbol: str, begin: float, end: float) -> Floats:
    """Return all times of a symbol between two, those that were not kept as well."""
    if tape.reread is not None:
        return tape.reread(symbol, begin, end)
    times = tape.series[symbol][0]
    return times[np.searchsorted(times, begin) : np.searchsorted(times, end, side="right")]


def _own_times(series: Series) -> Floats:
    if len(series) == 1:
        return next(iter(series.values()))[0]
    return np.unique(np.concatenate([times for times, _ in series.values()]))


def _grid(series: Series, ends: Mapping[str, tuple[float, float | None]], interval: float, most_cells: int) -> Floats:
    """Return the grid points from the first price to the last, at least one, and on to the last end of a symbol."""
    start = min(float(times[0]) for times, _ in series.values())
    end = max(float(times[-1]) for times, _ in series.values())
    first = _at_or_after(start, interval)
    last = _at_or_after(end, interval)
    if last * interval > end and last > first:
        last -= 1
    last = max([last, *(_at_or_after(time, interval) for time, _ in ends.values())])
    ticks = last - first + 1
    if ticks * len(series) > most_cells:
        raise MarketDataError(
            f"The prices span {(end - start) / 86400:,.0f} days, at {interval:g} s {ticks:,} ticks "
            f"of {len(series)} symbols; give a longer --interval, or look for a wrong time.",
            usage=True,
        )
    return np.arange(first, last + 1, dtype=np.float64) * interval


def _at_or_after(time: float, interval: float) -> int:
    """Return the number of the first grid point at or after a time.

    The quotient may round across a whole number, so the product decides.
    """
    number = math.ceil(time / interval)
    while (number - 1) * interval >= time:
        number -= 1
    while number * interval < time:
        number += 1
    return number

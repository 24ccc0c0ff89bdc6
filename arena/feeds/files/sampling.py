"""Several tapes to one market: one row of prices per tick, the last price at or before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from arena.errors import MarketDataError
from arena.feeds.base import History
from arena.feeds.files.bars import Series
from arena.feeds.files.tape import Floats, Kind, Report, Tape

_CELLS = 100_000_000  # prices of a market, 800 MB: more is a wrong time or a wrong interval


def assemble(tapes: Sequence[Tape], *, interval: float | None, default_interval: float) -> History:
    """Return the market of all tapes; trades and frames, or an interval, put it on the grid."""
    total = Report("All files")
    series = _merged(tapes, total)
    ends = _ends(tapes, series)
    symbols = tuple(sorted(series))
    sampled = interval is not None or any(tape.kind is Kind.TRADES for tape in tapes)
    times = _grid(series, ends, default_interval if interval is None else interval) if sampled else _own_times(series)
    prices = np.full((len(times), len(symbols)), np.nan)
    for column, symbol in enumerate(symbols):
        own, values = series[symbol]
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
        _sum(reports),
        ends,
    )


def _ends(tapes: Sequence[Tape], series: Series) -> dict[str, tuple[float, float | None]]:
    """Return when and at what price each priced symbol ended; the first word counts."""
    told = [found for tape in tapes for found in tape.ends.items() if found[0] in series]
    return dict(sorted(told, key=lambda found: found[1][0], reverse=True))


def _sum(reports: Sequence[Report]) -> dict[str, int]:
    defects: dict[str, int] = {}
    for report in reports:
        for kind, number in report.defects.items():
            defects[kind] = defects.get(kind, 0) + number
    return defects


def _merged(tapes: Sequence[Tape], report: Report) -> Series:
    """Join the files of each symbol; the same time in two files is the later file's."""
    parts: dict[str, list[tuple[Floats, Floats]]] = {}
    for tape in tapes:
        for symbol, found in tape.series.items():
            parts.setdefault(symbol, []).append(found)
    return {symbol: _joined(found, report) for symbol, found in parts.items()}


def _joined(parts: list[tuple[Floats, Floats]], report: Report) -> tuple[Floats, Floats]:
    if len(parts) == 1:
        return parts[0]
    ordered = sorted(range(len(parts)), key=lambda n: float(parts[n][0][0]))
    apart = all(parts[one][0][-1] < parts[two][0][0] for one, two in pairwise(ordered))
    if not apart:
        parts, ordered = _without_overridden(parts, report), list(range(len(parts)))
    times = np.concatenate([parts[n][0] for n in ordered])
    prices = np.concatenate([parts[n][1] for n in ordered])
    if apart:
        return times, prices
    order = np.argsort(times, kind="stable")
    return times[order], prices[order]


def _without_overridden(parts: list[tuple[Floats, Floats]], report: Report) -> list[tuple[Floats, Floats]]:
    """Take out of each file the times that a later one has as well."""
    kept = [parts[-1]]
    later = parts[-1][0]
    for times, prices in reversed(parts[:-1]):
        own = ~np.isin(times, later)
        report.count("overridden", int((~own).sum()))
        kept.append((times[own], prices[own]))
        later = np.concatenate([later, times])
    return kept[::-1]


def _own_times(series: Series) -> Floats:
    if len(series) == 1:
        return next(iter(series.values()))[0]
    return np.unique(np.concatenate([times for times, _ in series.values()]))


def _grid(series: Series, ends: Mapping[str, tuple[float, float | None]], interval: float) -> Floats:
    """Return the grid points from the first price to the last, at least one, and on to the last end of a symbol."""
    start = min(float(times[0]) for times, _ in series.values())
    end = max(float(times[-1]) for times, _ in series.values())
    first = _at_or_after(start, interval)
    last = _at_or_after(end, interval)
    if last * interval > end and last > first:
        last -= 1
    last = max([last, *(_at_or_after(time, interval) for time, _ in ends.values())])
    ticks = last - first + 1
    if ticks * len(series) > _CELLS:
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

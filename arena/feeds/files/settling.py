"""The last questions about a table: how its times are written, in which zone, and whether its rows are days."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from arena.errors import MarketDataError
from arena.feeds.files.columns import Layout
from arena.feeds.files.report import Report, RowKind
from arena.feeds.files.times import Spelling, clock_kind, spelling_of, zone_in


def settled(
    layout: Layout,
    names: Sequence[str] | None,
    sample: Sequence[Sequence[str]],
    label: str,
    days: Callable[[], Iterable[str]],
    report: Report,
    spelling: Spelling | None = None,
) -> Layout:
    """Return a layout whose times can be read; `spelling` is known where columns have types."""
    columns = [[row[place] if place < len(row) else "" for row in sample] for place in layout.time]
    if layout.day is not None:
        spelling = Spelling(unit=1.0)
    spelling = spelling or spelling_of(columns[0], days)
    if len(layout.time) == 2:
        spelling = _with_clock(spelling, columns, names, layout, label)
    found = replace(layout, spelling=spelling, note=f"{layout.note} {spelling.note}".strip())
    if spelling.bare and not found.still and found.kind is not RowKind.BARS:
        # A price that stands at a bare date is that day's, and not known before the day ends.
        found = replace(found, kind=RowKind.BARS, id=None)
    if spelling.unit is not None and found.day is None:
        report.understood["zone"] = "UTC, as numbers since 1970 have"
        return replace(found, zone=None)
    if spelling.zoned:
        report.understood["zone"] = "as each time says"
        return replace(found, zone=None) if found.zone is None else found
    if found.zone is None:
        titles = [names[place] for place in layout.time] if names else []
        zone = next(filter(None, map(zone_in, titles)), None)
        report.understood["zone"] = (
            f"{zone}, by the name of the column" if zone else "UTC was assumed; --zone says another"
        )
        return replace(found, zone=zone)
    report.understood["zone"] = found.zone
    return found


def _with_clock(
    spelling: Spelling, columns: Sequence[Sequence[str]], names: Sequence[str] | None, layout: Layout, label: str
) -> Spelling:
    """Return the spelling of a date and a clock in two columns."""
    title = names[layout.time[1]].lower() if names else ""
    kind = clock_kind(columns[1], hour=title.startswith("h"))
    if not kind:
        cells = next(filter(None, columns[1]), "")
        raise MarketDataError(
            f"{label} has {cells!r} where a clock should be; say where they stand with --columns time=DATE+CLOCK.",
            usage=True,
        )
    if spelling.unit is not None:
        cells = next(filter(None, columns[0]), "")
        raise MarketDataError(
            f"{label} has {cells!r} where a date should be; say where they stand with --columns time=DATE+CLOCK.",
            usage=True,
        )
    return replace(spelling, bare=False, clock=kind)

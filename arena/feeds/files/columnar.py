"""Tables that come as columns: Parquet, Feather, and lists of flat JSON records."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from arena.errors import MarketDataError
from arena.feeds.files import numbers as spelt
from arena.feeds.files.columns import Layout, from_header
from arena.feeds.files.headerless import from_cells
from arena.feeds.files.memory import require_room, require_room_for_rows
from arena.feeds.files.naming import clean
from arena.feeds.files.report import Report, Rows
from arena.feeds.files.series import Content
from arena.feeds.files.settling import settled
from arena.feeds.files.sniff import Shape, with_numbers
from arena.feeds.files.sources import ACCEPTED, WHOLE, Source
from arena.feeds.files.table import Reading
from arena.feeds.files.times import Spelling
from arena.feeds.files.told import ColumnNames, Columns, told_layout

ARROW, PARQUET = b"ARROW1", b"PAR1"
_HEAD = 200


def from_file(source: Source, columns: Columns, report: Report) -> Content:
    """Read a Parquet or Feather file whose columns are named as those of a CSV file would be."""
    require_room(source.label)
    kind = "Parquet" if source.head.startswith(PARQUET) else "Feather"
    scan = pl.scan_parquet if kind == "Parquet" else pl.scan_ipc
    try:
        lazy = scan(io.BytesIO(source.data))
        schema = lazy.collect_schema()
        names = [name for name, dtype in schema.items() if not dtype.is_nested() and dtype != pl.Object]
        require_room_for_rows(source.label, lazy.select(pl.len()).collect().item())
        _refuse_long_texts(lazy, schema, source)
        return _named(lazy.select(names), names, source, columns, report)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        raise MarketDataError(f"{source.label} is a damaged {kind} file: {_first_line(error)}.") from error


def _refuse_long_texts(lazy: pl.LazyFrame, schema: pl.Schema, source: Source) -> None:
    """Refuse texts that are stored once and stand in many rows: each becomes a text of its own when it is read."""
    sizes = [
        (pl.col(name).str.len_bytes() if dtype == pl.String else pl.col(name).bin.size()).cast(pl.UInt64).sum()
        for name, dtype in schema.items()
        if dtype in {pl.String, pl.Binary}
    ]  # fmt: skip
    total = sum(lazy.select(sizes).collect().row(0)) if sizes else 0
    if total > WHOLE:
        raise MarketDataError(f"{source.label} holds more than {WHOLE >> 30} GiB of text, as no market file does.")


def _first_line(error: BaseException) -> str:
    return clean(str(error).split("\n", 1)[0].rstrip("."))


def from_records(records: Sequence[dict[str, object]], source: Source, columns: Columns, report: Report) -> Content:
    """Read a list of JSON objects as a table."""
    require_room(source.label)
    names: dict[str, None] = {}
    for record in records[:_HEAD]:
        names |= dict.fromkeys(name for name, value in record.items() if not isinstance(value, (dict, list)))
    cells = {f"{n}": [_text(record.get(name)) for record in records] for n, name in enumerate(names)}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String)).rename(
        {f"{n}": name for n, name in enumerate(names)}
    )
    return _named(frame.lazy(), list(names), source, columns, report)


def from_lists(rows: Sequence[Sequence[object]], source: Source, columns: Columns, report: Report) -> Content | None:
    """Read lists of cells without names, by what the cells say; None if they say nothing."""
    require_room(source.label)
    width = max(map(len, rows))
    if not 2 <= width <= 100:
        return None
    cells = {f"{place}": [_text(row[place]) if place < len(row) else None for row in rows] for place in range(width)}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
    return _table(frame.lazy(), list(cells), None, source, columns, report)


def _text(cell: object) -> str | None:
    return None if cell is None or isinstance(cell, (dict, list)) else str(cell)


def _named(lazy: pl.LazyFrame, names: list[str], source: Source, columns: Columns, report: Report) -> Content:
    found = _table(lazy, names, names, source, columns, report)
    if found is None:
        head = lazy.head(1).collect().select(pl.all().cast(pl.String, strict=False)).fill_null("")
        row = ", ".join(repr(cell[:40]) for cell in (head.rows() or [()])[0][:12])
        shown = ", ".join(map(clean, names[:20]))
        raise MarketDataError(
            f"{source.label} has no columns that can be read as time and price: {shown}; its first row is {row}. "
            f"{ACCEPTED} Or name its columns with --columns."
        )
    return found


def _table(
    lazy: pl.LazyFrame, own: list[str], names: list[str] | None, source: Source, columns: Columns, report: Report
) -> Content | None:
    """Read only the columns in use; they are then called by their place, as those of text are."""
    head = lazy.head(_HEAD).collect()
    texts = head.select(pl.all().cast(pl.String, strict=False)).fill_null("")
    sample = [list(row) for row in texts.rows()]
    if not sample or not own:
        return None
    form = (
        spelt.told_format(columns.decimal)
        if columns.decimal
        else spelt.format_of((c for row in sample for c in row if spelt.is_number(c)), source.label)
    )
    shape = with_numbers(Shape("", 0, names, sample, sample), form)
    guess: Layout | None = None
    try:
        known = None if names is None else from_header(names, shape.sample, source.label)
        guess = known if names is not None else from_cells(shape, source.label)
    except MarketDataError:
        if not columns.price:
            raise
    layout = told_layout(columns, ColumnNames(source.label, len(own), names), guess, shape.sample)
    if layout is None:
        return None
    layout = replace(layout, numbers=form)
    cells = lambda: (row[layout.time[0]] for row in sample)  # noqa: E731
    layout = settled(layout, names, shape.sample, source.label, cells, report, _typed(lazy, own[layout.time[0]]))
    report.columns = ColumnNames(source.label, len(own), names).spoken(layout)
    frame = lazy.select(pl.col(own[place]).alias(f"column_{place}") for place in sorted(layout.used())).collect()
    every = lazy if layout.has_deals() and layout.id is None else None

    def content(by: Layout) -> Content:
        return Content(lambda told: _rows(frame, by, every, told), by, by.own, content, names)

    return content(layout)


def _typed(lazy: pl.LazyFrame, name: str) -> Spelling | None:
    """Return the spelling of a column whose type says that it has times, or None."""
    dtype = lazy.collect_schema()[name]
    if not dtype.is_temporal():
        return None
    zoned = isinstance(dtype, pl.Datetime) and dtype.time_zone is not None
    if dtype == pl.Date:
        return Spelling(bare=True)
    if not isinstance(dtype, pl.Datetime):
        return None
    # An index of pandas has midnights for days.
    days = lazy.select((pl.col(name).dt.truncate("1d") == pl.col(name)).all() & (pl.len() > 1)).collect().item()
    return Spelling(bare=bool(days), zoned=zoned)


def _rows(frame: pl.DataFrame, layout: Layout, every: pl.LazyFrame | None, report: Report) -> Iterator[Rows]:
    """Yield the rows of a frame, all at once."""
    numbers = {*layout.price, *layout.candle, layout.volume, *(place for _, place in layout.wide)} - {None}
    if layout.spelling.unit is not None:
        numbers.add(layout.time[0])
    columns = []
    for place in numbers:
        cells = frame[f"column_{place}"]
        if cells.dtype == pl.String:
            cells = spelt.parsed(cells, layout.numbers)
        columns.append(cells.cast(pl.Float64, strict=False).alias(f"column_{place}"))
    if frame.height:
        first, last = (" ".join(str(cell) for cell in frame.row(place)) for place in (0, -1))
        report.evidence.first_row, report.evidence.last_row = first[:200], last[:200]
    rows = Reading(layout, report).rows(frame.with_columns(columns))
    if every is not None and layout.has_deals():
        rows.again = every.select(~pl.struct(pl.all()).is_first_distinct()).collect().to_series().to_numpy()
    yield rows

"""Tables to rows: only the columns that a layout names are read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from arena.feeds.files.blocks import BLOCK, blocks_of, line_end, mended, side_by_side
from arena.feeds.files.ids import Ids, Seen, of_told_ids
from arena.feeds.files.layouts import Layout
from arena.feeds.files.opening import Source
from arena.feeds.files.regular import Cells, can_read, read_block
from arena.feeds.files.repeats import Across, Repeats, of_told_lines
from arena.feeds.files.room import require_room
from arena.feeds.files.sniff import COMMA_PATTERN, MONEY_PATTERN, Shape
from arena.feeds.files.tape import Bools, Codes, Floats, Report, Rows
from arena.feeds.files.times import from_text, looks_numeric, seconds, to_utc
from arena.feeds.files.words import Text

if TYPE_CHECKING:
    import polars as pl


def csv_rows(source: Source, shape: Shape, layout: Layout, report: Report, size: int = BLOCK) -> Iterator[Rows]:
    """Yield a text table's rows, block by block."""
    numeric = _numeric_times(shape, layout)
    regular = can_read(shape, layout)

    def parsed(block: Text) -> tuple[Rows, Repeats | Ids | None, Report]:
        told = Report("")
        cells = read_block(block, shape, layout, numeric=numeric) if regular else None
        if cells is None or layout.zone is not None:
            require_room(source.label)
        if cells is None:
            return *_general(mended(block.content(), told), shape, layout, told), told
        if numeric:
            cells.times = _of_epoch(cells.times, layout)
        return rows_of(cells, layout, None, told), cells.repeats, told

    across, seen = Across(), Seen()
    for rows, repeats, told in side_by_side(parsed, blocks_of(source, shape, size)):
        report.defects += told.defects
        if isinstance(repeats, Ids):
            seen.mark(rows, repeats)
        elif repeats is not None:
            across.mark(rows, repeats)
        yield rows


def _general(block: bytes, shape: Shape, layout: Layout, report: Report) -> tuple[Rows, Repeats | Ids | None]:
    """Read a block with a reader that expects anything anywhere."""
    import polars as pl

    frame = _read(block, shape, layout)
    numbers = {*layout.price, layout.volume, layout.flag} - {None}
    columns = [_number(f"column_{place}", comma=shape.decimal_comma) for place in numbers]
    if _numeric_times(shape, layout):
        cells = pl.col(f"column_{layout.time[0]}")
        cells = cells.str.replace(",", ".", literal=True) if shape.decimal_comma else cells
        columns.append(cells.str.strip_chars().cast(pl.Float64, strict=False))
    rows = frame_rows(frame.with_columns(columns), layout, report)
    return rows, _repeats(rows, frame, block, layout) if layout.has_deals() and len(rows.times) else None


def _repeats(rows: Rows, frame: pl.DataFrame, block: bytes, layout: Layout) -> Repeats | Ids | None:
    if layout.id is not None:
        ids = [(cell or "").encode() for cell in frame[f"column_{layout.id}"].to_list()]
        return of_told_ids(ids, rows.symbols, rows.codes)
    lines = block.splitlines()
    # Where a line is not a row, nothing can be said of lines.
    return of_told_lines(lines, rows.times) if len(lines) == len(rows.times) else None


def _number(name: str, *, comma: bool) -> pl.Expr:
    """Return a column of numbers: plain ones, and those with signs of money or thousands apart."""
    import polars as pl

    cells = pl.col(name).str.strip_chars()
    plain = cells.cast(pl.Float64, strict=False)
    if comma:
        money = pl.when(cells.str.contains(f"^(?:{COMMA_PATTERN})$")).then(cells)
        return money.str.replace_all(r"[^\d,+-]", "").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    money = pl.when(plain.is_null() & cells.str.contains(f"^(?:{MONEY_PATTERN})$")).then(cells)
    return pl.coalesce(plain, money.str.replace_all(r"[^\d.+-]", "").cast(pl.Float64, strict=False))


def _read(block: bytes, shape: Shape, layout: Layout) -> pl.DataFrame:
    """Return the columns in use, as text."""
    import polars as pl

    types: dict[str, type[pl.DataType]] = {f"column_{place}": pl.String for place in range(shape.width)}
    try:
        return pl.read_csv(
            block,
            has_header=False,
            columns=[f"column_{place}" for place in sorted(layout.used())],
            schema=types,
            separator=shape.separator,
            quote_char='"' if b'"' in block else None,
            ignore_errors=True,
            missing_columns="insert",
            extra_columns="ignore",
            encoding="utf8" if block.isascii() else "utf8-lossy",
            eol_char=line_end(block).decode(),
            raise_if_empty=False,
        )
    except pl.exceptions.ComputeError:
        return _read_by_hand(block, shape, layout)


def _read_by_hand(block: bytes, shape: Shape, layout: Layout) -> pl.DataFrame:
    """Cut lines one by one, where one that is malformed would spoil all of them."""
    import polars as pl

    lines = block.decode("utf-8", errors="replace").splitlines()
    rows = [next(csv.reader([line], delimiter=shape.separator), []) for line in lines]
    return pl.DataFrame(
        {
            f"column_{place}": [row[place] if place < len(row) else None for row in rows]
            for place in sorted(layout.used())
        },
        schema_overrides={f"column_{place}": pl.String for place in layout.used()},
    )


def _numeric_times(shape: Shape, layout: Layout) -> bool:
    return len(layout.time) == 1 and looks_numeric(shape.column(layout.time[0]))


def rows_of(cells: Cells, layout: Layout, broken: Bools | None, report: Report) -> Rows:
    """Return the rows that cells make: scaled, in UTC, and of quotes the middle."""
    sides = cells.sides
    if cells.flags is not None:
        report.count("suspicious", int((cells.flags == 1).sum()))
    prices = sides[0] if len(sides) == 1 else (sides[0] + sides[1]) / 2
    if layout.scale != 1.0:
        # Dividing by a whole number rounds once, as the decimal price itself would.
        prices = prices / round(1 / layout.scale)
    times = cells.times if layout.zone is None else to_utc(cells.times, layout.zone)
    rows = Rows(times, prices, broken, cells.symbols, cells.codes, cells.volumes)
    return rows if len(sides) == 1 else _two_sided(rows, sides, report)


def frame_rows(frame: pl.DataFrame, layout: Layout, report: Report) -> Rows:
    """Take rows out of a frame whose columns are called by their place."""
    sides = [_floats(frame[f"column_{place}"]) for place in layout.price]
    broken = _nulls([frame[f"column_{place}"] for place in layout.price])
    symbols, codes = _symbols(frame, layout)
    volumes, flags = (
        None if place is None else _floats(frame[f"column_{place}"]) for place in (layout.volume, layout.flag)
    )
    cells = Cells(_times(frame, layout), sides, symbols, codes, volumes, flags)
    return rows_of(cells, layout, broken, report)


def _two_sided(rows: Rows, sides: list[Floats], report: Report) -> Rows:
    """Drop quotes that have a price on one side only, for they have no middle."""
    lone = (sides[0] > 0) ^ (sides[1] > 0)
    report.count("one_sided", int(lone.sum()))
    return rows.take(~lone) if lone.any() else rows


def _floats(column: pl.Series) -> Floats:
    import polars as pl

    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count():
        numbers = numbers.fill_null(float("nan"))
    return np.asarray(numbers.to_numpy())


def _nulls(columns: list[pl.Series]) -> Bools | None:
    """Mark the rows where a cell is missing or no number; a NaN is a number here."""
    import polars as pl

    marks = [column.cast(pl.Float64, strict=False).is_null().to_numpy() for column in columns]
    broken: Bools = np.logical_or.reduce(marks)
    return broken if broken.any() else None


def _times(frame: pl.DataFrame, layout: Layout) -> Floats:
    """Return the times of one column, or of a date and a clock column."""
    import polars as pl

    columns = [frame[f"column_{place}"] for place in layout.time]
    times = columns[0]
    if len(columns) == 2:
        clock = columns[1].cast(pl.String)
        padded = pl.when(clock.str.contains(":")).then(clock).otherwise(clock.str.zfill(layout.clock))
        joined = frame.select(pl.concat_str(times.cast(pl.String), padded, separator=" "))
        return from_text(joined.to_series(), layout.form)
    if times.dtype in {pl.String, pl.Categorical}:
        return from_text(times.cast(pl.String), layout.form)
    if times.dtype.is_temporal():
        moments = times.cast(pl.Datetime("us")) if times.dtype == pl.Date else times
        return _floats(moments.dt.timestamp("us")) / 1e6
    return _of_epoch(_floats(times), layout)


def _of_epoch(numbers: Floats, layout: Layout) -> Floats:
    """Return numbers as Unix seconds; where the file has a day, they are its milliseconds."""
    return layout.day + numbers / 1e3 if layout.day is not None else seconds(numbers)


def _symbols(frame: pl.DataFrame, layout: Layout) -> tuple[tuple[str, ...], Codes | None]:
    """Return the symbols in sorted order, and each row's place among them."""
    import polars as pl

    if layout.symbol is None:
        return (), None
    column = frame[f"column_{layout.symbol}"].cast(pl.Categorical)
    known = column.drop_nulls().unique()
    texts = [text.strip() for text in known.cast(pl.String).to_list()]
    symbols = tuple(sorted({text for text in texts if text}))
    physical = column.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    table = np.full(int(physical.max(initial=-1)) + 2, -1, dtype=np.int64)
    for place, text in zip(known.to_physical().to_list(), texts, strict=True):
        table[place] = symbols.index(text) if text else -1
    return symbols, table[physical]

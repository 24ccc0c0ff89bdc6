"""Tables to rows: only the columns that a layout names are read."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

from arena.errors import MarketDataError
from arena.feeds.files.layouts import Layout, from_header
from arena.feeds.files.opening import ACCEPTED, Source
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Bools, Codes, Floats, Report, Rows
from arena.feeds.files.times import from_text, looks_numeric, seconds, to_utc

if TYPE_CHECKING:
    import polars as pl


def csv_rows(data: bytes, shape: Shape, layout: Layout, report: Report) -> Rows:
    """Read a text table's rows."""
    import polars as pl

    numeric = _numeric_times(shape, layout)
    types: dict[str, type[pl.DataType]] = {f"column_{place}": pl.String for place in range(shape.width)}
    for place in layout.time:
        types[f"column_{place}"] = pl.Float64 if numeric else pl.String
    for number in (*layout.price, layout.volume, layout.flag):
        if number is not None:
            money = any("," in cell or cell[:1] in "$€£" for cell in shape.column(number) if cell)
            types[f"column_{number}"] = pl.String if money else pl.Float64
    if layout.symbol is not None:
        types[f"column_{layout.symbol}"] = pl.Categorical
    frame = _read(data, shape, layout, types)
    if frame is None:
        whole = [line for line in data.splitlines(keepends=True) if line.count(b'"') % 2 == 0]
        report.count("unparsable", data.count(b"\n") + (data[-1:] != b"\n") - len(whole))
        frame = _read(b"".join(whole), shape, layout, types)
    if frame is None:
        raise MarketDataError(f"{report.name} is a table whose quotes do not match.")
    for number in layout.price:
        if frame[f"column_{number}"].dtype == pl.String:
            plain = pl.col(f"column_{number}").str.replace_all(r"[$€£,\s]", "")
            frame = frame.with_columns(plain)
    return frame_rows(frame, layout, report)


def _read(data: bytes, shape: Shape, layout: Layout, types: dict[str, type[pl.DataType]]) -> pl.DataFrame | None:
    """Return the columns in use, or None where a stray quote swallows the lines after it."""
    import polars as pl

    quoted = any(b'"' in data[n : n + 4096] for n in (0, len(data) // 2))
    try:
        # Polars warns of swallowed lines, which the count below finds and mends.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            frame = pl.read_csv(
                data,
                has_header=False,
                columns=[f"column_{place}" for place in sorted(_used(layout))],
                schema=types,
                separator=shape.separator,
                skip_lines=shape.skip,
                quote_char='"' if quoted else None,
                ignore_errors=True,
                missing_columns="insert",
                extra_columns="ignore",
                decimal_comma=shape.decimal_comma,
                encoding="utf8" if data.isascii() else "utf8-lossy",
                eol_char="\n" if b"\n" in data[:65536] else "\r",
                raise_if_empty=False,
            )
    except pl.exceptions.ComputeError:
        return None
    return None if quoted and len(frame) < data.count(b"\n") - shape.skip else frame


def _used(layout: Layout) -> set[int]:
    optional = (layout.symbol, layout.volume, layout.flag)
    return {*layout.time, *layout.price, *(place for place in optional if place is not None)}


def _numeric_times(shape: Shape, layout: Layout) -> bool:
    return len(layout.time) == 1 and looks_numeric(shape.column(layout.time[0]))


def frame_rows(frame: pl.DataFrame, layout: Layout, report: Report) -> Rows:
    """Take rows out of a frame whose columns are called by their place."""
    sides = [_floats(frame[f"column_{place}"]) for place in layout.price]
    broken = _nulls([frame[f"column_{place}"] for place in layout.price])
    symbols, codes = _symbols(frame, layout)
    volume, flag = (
        None if place is None else _floats(frame[f"column_{place}"]) for place in (layout.volume, layout.flag)
    )
    if flag is not None:
        report.count("suspicious", int((flag == 1).sum()))
    prices = sides[0] if len(sides) == 1 else (sides[0] + sides[1]) / 2
    if layout.scale != 1.0:
        # Dividing by a whole number rounds once, as the decimal price itself would.
        prices = prices / round(1 / layout.scale)
    rows = Rows(_times(frame, layout), prices, broken, symbols, codes, volume)
    return rows if len(sides) == 1 else _two_sided(rows, sides, report)


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
    """Return Unix seconds from one time column, or from a date and a clock column."""
    import polars as pl

    columns = [frame[f"column_{place}"] for place in layout.time]
    times = columns[0]
    if len(columns) == 2:
        clock = columns[1].cast(pl.String)
        padded = pl.when(clock.str.contains(":")).then(clock).otherwise(clock.str.zfill(6))
        joined = frame.select(pl.concat_str(times.cast(pl.String), padded, separator=" "))
        return from_text(joined.to_series())
    if times.dtype in {pl.String, pl.Categorical}:
        unix = from_text(times.cast(pl.String))
    elif times.dtype.is_temporal():
        moments = times.cast(pl.Datetime("us")) if times.dtype == pl.Date else times
        unix = _floats(moments.dt.timestamp("us")) / 1e6
    else:
        numbers = _floats(times)
        unix = layout.day + numbers / 1e3 if layout.day is not None else seconds(numbers)
    return unix if layout.zone is None else to_utc(unix, layout.zone)


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


def parquet_rows(source: Source, report: Report) -> tuple[Rows, Layout]:
    """Read a Parquet file whose columns are named as those of a CSV file would be."""
    import polars as pl

    try:
        frame = pl.read_parquet(io.BytesIO(source.data))
    except pl.exceptions.PolarsError as error:
        raise MarketDataError(f"{source.label} is a damaged Parquet file: {error}.") from error
    return _named(frame, source, report)


def record_rows(records: list[dict[str, object]], source: Source, report: Report) -> tuple[Rows, Layout]:
    """Read a list of JSON objects as a table."""
    import polars as pl

    names = [name for name, value in records[0].items() if not isinstance(value, (dict, list))]
    cells = {name: [None if (cell := record.get(name)) is None else str(cell) for record in records] for name in names}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(names, pl.String))
    return _named(frame, source, report)


def _named(frame: pl.DataFrame, source: Source, report: Report) -> tuple[Rows, Layout]:
    import polars as pl

    head = frame.head(200).select(pl.all().cast(pl.String, strict=False)).fill_null("")
    layout = from_header(frame.columns, [list(row) for row in head.rows()])
    if layout is None or not len(frame):
        names = ", ".join(frame.columns)
        raise MarketDataError(f"{source.label} has no columns that can be read as time and price: {names}. {ACCEPTED}")
    frame.columns = [f"column_{place}" for place in range(frame.width)]
    texts = [place for place in layout.time if not frame.dtypes[place].is_temporal()]
    numbers = [
        pl.col(f"column_{place}").cast(pl.Float64, strict=False)
        for place in texts
        if looks_numeric([row[place] for row in head.rows()])
    ]
    return frame_rows(frame.with_columns(numbers), layout, report), layout

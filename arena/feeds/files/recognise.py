"""What kind of market file a file is, by its content, and how its rows come out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from arena.errors import MarketDataError
from arena.feeds.files import columnar, table
from arena.feeds.files.columns import Layout, from_header
from arena.feeds.files.headerless import from_cells, from_lean
from arena.feeds.files.naming import clean
from arena.feeds.files.numbers import format_of, is_number, told_format
from arena.feeds.files.report import Report, RowKind, Rows
from arena.feeds.files.series import Content
from arena.feeds.files.settling import settled
from arena.feeds.files.sniff import Shape, cells_of, sniff, with_numbers
from arena.feeds.files.sources import ACCEPTED, Source
from arena.feeds.files.table import BLOCK, blocks_of, lines_of
from arena.feeds.files.times import is_time
from arena.feeds.files.told import ColumnNames, Columns, told_layout

_RECORDED = re.compile(rb"wss?://|[^\s{\[]{6,40}:?\s+[{\[]")
_DAYS = re.compile(rb"\d\d?[-/.]\d\d?[-/.]\d{2,4}")
_LOOKED_AT = 300_000  # lines, where the first ones do not tell how numbers are written


def recognise(source: Source, report: Report, columns: Columns, size: int) -> Content:
    """Return the content of an opened file; MarketDataError if it holds no market."""
    head = source.head.lstrip()
    if source.head.startswith((columnar.PARQUET, columnar.ARROW)):
        return columnar.from_file(source, columns, report)
    if head.startswith((b"{", b"[")):
        return _json(source, columns, report)
    if _RECORDED.match(head):
        from arena.feeds.files import frames

        if frames.looks_recorded(head):
            return _single(frames.from_lines(lines_of(source), report), Layout(RowKind.TRADES, (), ()))
    return _text(source, report, columns, size)


def _single(rows: Rows, layout: Layout) -> Content:
    return Content(lambda _: iter([rows]), layout)


def _json(source: Source, columns: Columns, report: Report) -> Content:
    """Read one JSON document, or a file with one on each line, whose first line is whole by itself."""
    from arena.feeds.files import documents

    lines = list(islice(filter(None, map(bytes.strip, source.head.splitlines())), 3))
    many = len(lines) > 1 and all(_is_json(line) for line in lines[:-1])
    found = None if many else documents.from_json(source, columns, report)
    return found or documents.from_json_lines(lambda: lines_of(source), source, columns, report)


def _is_json(line: bytes) -> bool:
    import orjson

    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _text(source: Source, report: Report, columns: Columns, size: int) -> Content:
    shape = sniff(source.head, whole=source.whole)
    if shape is None:
        raise MarketDataError(f"{source.label} is not a market file that can be read. {ACCEPTED}")
    if not shape.sample:
        raise MarketDataError(f"{source.label} has a header and no rows. {ACCEPTED}")
    shape = _with_format(shape, source, columns)
    layout, symbol = _layout(shape, source, columns)
    layout = replace(layout, numbers=shape.numbers)
    layout = settled(layout, shape.names, shape.sample, source.label, lambda: _days(source, shape), report)
    report.columns = ColumnNames(source.label, shape.width, shape.names).spoken(layout)

    def content(by: Layout) -> Content:
        def chunks(told: Report) -> Iterator[Rows]:
            return table.csv_rows(source, shape, by, told, size)

        return Content(chunks, by, symbol or by.own, content, shape.names)

    return content(layout)


def _with_format(shape: Shape, source: Source, columns: Columns) -> Shape:
    """Find out how numbers are written: from the sample, or where that does not tell, from the file."""
    if columns.decimal:
        return with_numbers(shape, told_format(columns.decimal))
    try:
        return with_numbers(shape, format_of(_numbers(shape.raw), source.label))
    except MarketDataError:
        if source.whole:
            # Only those of the columns in use need an answer; they are asked for once they are read.
            return with_numbers(shape, format_of(_numbers(shape.raw), source.label, ask=False))
    rows = (
        cells_of(line.decode("utf-8", errors="replace"), shape.separator)
        for block in blocks_of(source, shape, BLOCK)
        for line in block.splitlines()
    )
    return with_numbers(shape, format_of(_numbers(islice(rows, _LOOKED_AT)), source.label, ask=False))


def _numbers(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the cells that are numbers, percentages and counts like 1,5M among them, but no dates."""
    for row in rows:
        for cell in row:
            if cell and cell[-1] not in ":-/" and (is_number(cell.rstrip("%KMBTkm ")) and not is_time(cell)):
                yield cell


def _layout(shape: Shape, source: Source, columns: Columns) -> tuple[Layout, str | None]:
    symbol: str | None = None
    guess: Layout | None = None
    try:
        if shape.names is not None:
            guess = from_header(shape.names, shape.sample, source.label)
        else:
            guess, symbol = from_lean(shape, source) or (from_cells(shape, source.label, source.names), None)
    except MarketDataError:
        if not columns.price:
            raise
    names = ColumnNames(source.label, shape.width, shape.names)
    layout = told_layout(columns, names, guess, shape.sample)
    if layout is None:
        raise MarketDataError(
            f"{problem(shape.names, shape.raw, source.label)} {ACCEPTED} Or name its columns with --columns."
        )
    return layout, symbol


def problem(names: Sequence[str] | None, sample: Sequence[Sequence[str]], label: str) -> str:
    """Return a sentence on a table without a time or a price, with the cells that were seen."""
    row = ", ".join(repr(cell[:40]) for cell in (sample[0] if sample else [])[:12])
    if names is None:
        return f"{label} has no header, and its columns are not those of a known format: {row}."
    shown = ", ".join(clean(name) for name in names[:20])
    return f"{label} has no columns that can be read as time and price: {shown}; its first row is {row}."


def _days(source: Source, shape: Shape) -> Iterator[str]:
    """Yield all days of the kind 31/12/2024 that a file names."""
    for block in blocks_of(source, shape, BLOCK):
        yield from {day.decode() for day in _DAYS.findall(block)}

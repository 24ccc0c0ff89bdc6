"""What kind of market file a file is, by its content, and how its rows come out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from arena.errors import MarketDataError
from arena.feeds.files import columnar, lean, table
from arena.feeds.files.bare import from_cells
from arena.feeds.files.blocks import BLOCK, blocks_of, lines_of
from arena.feeds.files.clock import ISO
from arena.feeds.files.columns import Columns, Names, told_layout
from arena.feeds.files.dates import form_of
from arena.feeds.files.flow import Chunks
from arena.feeds.files.layouts import Layout, from_header
from arena.feeds.files.opening import ACCEPTED, Source
from arena.feeds.files.sniff import Shape, sniff
from arena.feeds.files.tape import Kind, Report, Rows
from arena.feeds.files.times import looks_numeric

_RECORDED = re.compile(rb"wss?://|[^\s{\[]{6,40}:?\s+[{\[]")
_DAYS = re.compile(rb"\d\d?[-/.]\d\d?[-/.]\d{2,4}")


@dataclass(slots=True)
class Content:
    """The rows of a file, as often as one wants to read them, and what they are.

    `symbol` is one that the file's name or folder tells by the rules of its format.
    """

    chunks: Chunks
    layout: Layout
    symbol: str | None = None


def recognise(source: Source, report: Report, columns: Columns, size: int) -> Content:
    """Return the content of an opened file; MarketDataError if it holds no market."""
    head = source.head.lstrip()
    if source.head.startswith((columnar.PARQUET, columnar.ARROW)):
        return _single(*columnar.from_file(source, columns, report))
    if head.startswith((b"{", b"[")):
        return _single(*_json(source, columns, report))
    if _RECORDED.match(head):
        from arena.feeds.files import frames

        if frames.looks_recorded(head):
            return _single(frames.from_lines(lines_of(source), report), Layout(Kind.TRADES, (), ()))
    return _text(source, report, columns, size)


def _single(rows: Rows, layout: Layout) -> Content:
    return Content(lambda _: iter([rows]), layout)


def _json(source: Source, columns: Columns, report: Report) -> tuple[Rows, Layout]:
    """Read one JSON document, or a file with one on each line, whose first line is whole by itself."""
    from arena.feeds.files import bodies

    lines = list(islice(filter(None, map(bytes.strip, source.head.splitlines())), 3))
    many = len(lines) > 1 and all(_is_json(line) for line in lines[:-1])
    found = None if many else bodies.from_json(source, columns, report)
    return found or bodies.from_json_lines(lambda: lines_of(source), source, columns, report)


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
    layout, symbol = _layout(shape, source, columns)
    report.columns = Names(source.label, shape.width, shape.names).spoken(layout)
    layout = _with_times(layout, shape, source)
    return Content(lambda told: table.csv_rows(source, shape, layout, told, size), layout, symbol)


def _layout(shape: Shape, source: Source, columns: Columns) -> tuple[Layout, str | None]:
    symbol: str | None = None
    if shape.names is not None:
        guess = from_header(shape.names, shape.sample)
        problem = f"has no columns that can be read as time and price: {', '.join(shape.names[:20])}"
    else:
        guess, symbol = lean.recognise(shape, source) or (from_cells(shape), None)
        problem = "has no header, and its columns are not those of a known format"
    layout = told_layout(columns, Names(source.label, shape.width, shape.names), guess)
    if layout is None:
        raise MarketDataError(f"{source.label} {problem}. {ACCEPTED} Or name its columns with --columns.")
    return layout, symbol


def _with_times(layout: Layout, shape: Shape, source: Source) -> Layout:
    """Find out how times are spelt that are neither numbers nor ISO."""
    cells = shape.column(layout.time[0])
    if len(layout.time) == 2:
        clocks = shape.column(layout.time[1])
        digits = 4 if all(len(cell) <= 4 for cell in clocks) else 6
        layout = replace(layout, clock=digits)
        clocks = [clock if ":" in clock else clock.zfill(digits) for clock in clocks]
        cells = [" ".join(both) for both in zip(cells, clocks, strict=True)]
    elif looks_numeric(cells):
        return layout
    if all(ISO.fullmatch(cell) for cell in cells if cell):
        return layout
    form, note = form_of(cells, lambda: _days(source, shape))
    return replace(layout, form=form, note=f"{layout.note} {note}".strip())


def _days(source: Source, shape: Shape) -> Iterator[str]:
    """Yield all days of the kind 31/12/2024 that a file names."""
    for block in blocks_of(source, shape, BLOCK):
        yield from {day.decode() for day in _DAYS.findall(block.content())}

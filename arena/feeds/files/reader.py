"""One file to one tape: recognise what it is, read the rows, hold every guess against them, name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import numpy as np

from arena.errors import MarketDataError
from arena.feeds.files import bars, columnar, table
from arena.feeds.files.columns import Layout, from_header
from arena.feeds.files.headerless import from_cells, from_lean
from arena.feeds.files.naming import bar_length, clean, period_end, require_symbol
from arena.feeds.files.numbers import format_of, is_number, question, told_format
from arena.feeds.files.report import Evidence, Fact, Floats, Report, RowKind, Rows, Tape
from arena.feeds.files.series import Content, Flow, SymbolPrices, in_order, last_of_each_time
from arena.feeds.files.settling import settled
from arena.feeds.files.sniff import Shape, cells_of, sniff, with_numbers
from arena.feeds.files.sources import ACCEPTED, Source
from arena.feeds.files.table import BLOCK, blocks_of, lines_of
from arena.feeds.files.times import Spelling, is_time, unit_of
from arena.feeds.files.told import ColumnNames, Columns, told_layout

_SHORT = 3600.0  # a period that lacks less than an hour is a quiet market, not a truncated file
_DAY = 86400.0
_FEW = 4  # rows; fewer prove nothing against what a header says
_STRAY = 0.05  # share of cells that may be wrong in themselves
_LOST = 0.2  # share of times that may be unreadable

Found = TypeVar("Found", SymbolPrices, tuple[Floats, Floats])


def read(
    source: Source,
    report: Report,
    symbol: str | None,
    *,
    grid: float | None = None,
    columns: Columns | None = None,
    size: int = BLOCK,
) -> Tape:
    """Return the tape of one opened file.

    `symbol` is the one its flag gave, if any. Of trades and quotes only what ticks every `grid`
    seconds can show is kept; without a grid it is everything. `columns` are told by the user. Text is
    read `size` bytes at a time.
    """
    content = recognise(source, report, columns or Columns(), size)
    return tape_of(content, source, report, symbol, grid)


def tape_of(content: Content, source: Source, report: Report, symbol: str | None, grid: float | None) -> Tape:
    """Return the tape of a file whose content is known; where the cells contradict a guess, it is read once more."""
    for _ in range(3):
        kind = content.layout.kind
        before = report.defects.copy()
        report.evidence = Evidence()
        flow = Flow(content.chunks, grid if kind is RowKind.TRADES else None, report, bars=kind is RowKind.BARS)
        better = judge(content, report.evidence, source.label)
        if better is None or content.again is None:
            break
        report.defects = before
        content = content.again(better)
    if content.layout.note:
        report.remark(content.layout.note)
    if source.cut:
        report.count("truncated_file")
    lines = flow.lines()
    if not lines:
        found = " ".join(report.notes()) or "It has no rows."
        raise MarketDataError(f"{source.label} holds no usable price. {found}")
    own = {id(line): name for name, line in lines.items()}
    lines = named(lines, source, report, (symbol, content.symbol))
    clocks = (
        flow.clocks
        if len(flow.clocks) > 1 or len(lines) > 1
        else {name: [part for parts in flow.clocks.values() for part in parts] for name in lines}
    )
    tape = _tape(lines, content, source, report, list(map(np.concatenate, filter(None, clocks.values()))))
    if grid is not None and tape.kind is RowKind.TRADES:
        names = {name: own[id(line)] for name, line in lines.items()}
        tape.facts = {name: Fact(line.rows, line.first, line.last) for name, line in lines.items()}
        tape.reread = lambda name, first, last: flow.times(names[name], first, last)
    _say_what_was_understood(tape, content.layout)
    return tape


# What the cells say


def judge(content: Content, seen: Evidence, label: str) -> Layout | None:
    """Return a layout that fits the cells better, None if this one does; MarketDataError if none is known."""
    layout = content.layout
    if better := _judge_units(layout, seen, label) or _judge_times(layout, seen, label):
        return better
    _judge_numbers(layout, seen, label)
    _judge_prices(layout, seen, label)
    return _judge_candles(layout, seen, label)


def _judge_units(layout: Layout, seen: Evidence, label: str) -> Layout | None:
    if layout.spelling.unit is None or seen.outside * 100 <= seen.rows:
        return None
    unit = unit_of(seen.low, seen.high)
    if unit is None or unit == layout.spelling.unit:
        raise MarketDataError(
            f"{label} has times like {seen.shown('time')}, which as seconds, milliseconds, microseconds or nanoseconds "
            "since 1970 are not all within 1900 and 2100; say which column is the time with --columns time=NAME.",
            usage=True,
        )
    return replace(layout, spelling=replace(layout.spelling, unit=unit))


def _judge_times(layout: Layout, seen: Evidence, label: str) -> Layout | None:
    lost = seen.wrong["time"]
    if layout.spelling.unit is not None and lost > seen.outside and any(map(is_time, seen.cells["time"])):
        # Numbers first, dates later: as text each can be read by itself.
        return replace(layout, spelling=Spelling())
    if layout.time and seen.rows > _FEW and lost > _LOST * seen.rows:
        raise MarketDataError(
            f"{label}: {lost:,} of {seen.rows:,} times cannot be read, like {seen.shown('time')}, where the first "
            f"ones are {layout.spelling.spoken()}; say which column is the time with --columns time=NAME.",
            usage=True,
        )
    return None


def _judge_numbers(layout: Layout, seen: Evidence, label: str) -> None:
    form = layout.numbers
    if form.told:
        return
    other = seen.wrong["numbers"]
    if other and (other > 2 or other * 100 > seen.rows):
        one, two = ("decimal comma", "decimal point") if form.comma else ("decimal point", "decimal comma")
        raise MarketDataError(
            f"{label} has numbers with a {one} and cells like {seen.shown('numbers')}, which have a {two}; choose with "
            "--columns decimal=comma or decimal=point.",
            usage=True,
        )
    if seen.wrong["unsure"] and not seen.point:
        raise question(seen.cells["unsure"][0], label)


def _judge_candles(layout: Layout, seen: Evidence, label: str) -> Layout | None:
    odd = seen.wrong["candle"]
    if seen.candles < _FEW or odd <= _STRAY * seen.candles or layout.told:
        return None
    if (
        layout.positional
        and (found := bars.candle_order(np.array(seen.odd_candles), in_time=False))
        and found[0] != (0, 1, 2, 3)
    ):
        candle = tuple(layout.candle[place] for place in found[0])
        return replace(layout, candle=candle, price=candle[-1:], positional=False)
    raise MarketDataError(
        f"{label}: in {odd:,} of {seen.candles:,} bars open or close is not between low and high, as in "
        f"{seen.shown('candle')}; say which column is the close with --columns price=NAME.",
        usage=True,
    )


def _judge_prices(layout: Layout, seen: Evidence, label: str) -> None:
    crossed = seen.wrong["quote"]
    if layout.told:
        return
    if seen.quotes >= _FEW and crossed > 2 * _STRAY * seen.quotes:
        raise MarketDataError(
            f"{label}: in {crossed:,} of {seen.quotes:,} quotes the bid is above the ask, as in {seen.shown('quote')}; "
            "say which columns they are with --columns price=BID+ASK.",
            usage=True,
        )
    if seen.rows >= _FEW and seen.not_positive * 4 > seen.rows:
        raise MarketDataError(
            f"{label}: {seen.not_positive:,} of {seen.rows:,} prices are zero or below, so that they are changes "
            "rather than prices; say which column is the price with --columns price=NAME.",
            usage=True,
        )


def _refuse_collapse(times: Floats, prices: Floats, content: Content, label: str) -> None:
    """Refuse bars of which many share a time and differ: a clock or a symbol was not read."""
    layout = content.layout
    order_of = np.lexsort((prices, times))
    own, cells = times[order_of], prices[order_of]
    differ = (own[1:] == own[:-1]) & (cells[1:] != cells[:-1])
    number = int(differ.sum())
    if layout.still or number < 2 or number <= _STRAY * len(times):
        return
    first = int(np.flatnonzero(differ)[0])
    place = order_of[first]
    when = np.datetime_as_string(np.datetime64(int(times[place] * 1000), "ms"), unit="s")
    unused = [f"{clean(name)!r}" for n, name in enumerate(content.names or []) if n not in layout.used()]
    columns = f" Columns not read are {', '.join(unused[:12])}." if unused else ""
    raise MarketDataError(
        f"{label} has {number:,} more prices at times that have another one already, as {cells[first]:g} and "
        f"{cells[first + 1]:g} at {when}Z, so it has a clock or several symbols in a column that was not read; "
        f"choose with --columns time=DATE+CLOCK or --columns symbol=NAME.{columns}",
        usage=True,
    )


# Tapes


def _tape(
    lines: dict[str, SymbolPrices], content: Content, source: Source, report: Report, clocks: Sequence[Floats]
) -> Tape:
    layout = content.layout
    series = {name: line.series() for name, line in lines.items()}
    tape = Tape(layout.kind, series, report)
    if layout.kind is RowKind.TRADES:
        report.count("identical" if layout.id is None else "repeated_id", sum(line.again for line in lines.values()))
        for name, line in lines.items():
            bars.count_pauses(name, line, report)
    else:
        if layout.kind is RowKind.BARS:
            series = {name: in_order(*found, report) for name, found in series.items()}
            for times, prices in series.values():
                _refuse_collapse(times, prices, content, source.label)
        tape.series = {name: last_of_each_time(*found, report) for name, found in series.items()}
    if layout.kind is RowKind.BARS:
        report.count("zero_volume", sum(line.silent for line in lines.values()))
        _close(tape, layout, source, clocks)
    _check_period(tape.series, layout, source, report)
    return tape


def named(
    series: dict[str, Found], source: Source, report: Report, symbols: tuple[str | None, str | None]
) -> dict[str, Found]:
    """Give the series their symbols: the flag's, else the file's own, else its name's."""
    symbol, named = symbols
    if symbol is None:
        if "" in series:
            series[named or require_symbol(source.names, source.path, source.member)] = series.pop("")
        return series
    if len(series) == 1:
        return {symbol: series.popitem()[1]}
    if symbol not in series:
        raise MarketDataError(
            f"{source.label} holds {len(series)} symbols ({', '.join(list(series)[:10])}), none of "
            f"them {symbol}; give it without {symbol}=.",
            usage=True,
        )
    report.count("other_symbols", sum(_rows(found) for name, found in series.items() if name != symbol))
    return {symbol: series[symbol]}


def _rows(found: SymbolPrices | tuple[Floats, Floats]) -> int:
    return found.rows if isinstance(found, SymbolPrices) else len(found[0])


def _close(tape: Tape, layout: Layout, source: Source, clocks: Sequence[Floats]) -> None:
    """Move bars to their close, by LEAN's own length, else by the most common step of all rows, with a price or not."""
    found = layout.step or bars.common_step(list(clocks)) or bar_length(source.names)
    tape.step = found or (_DAY if layout.spelling.bare else None)
    if tape.step is None:
        tape.report.count("unknown_bar_length", sum(len(times) for times, _ in tape.series.values()))
        return
    bars.count_gaps(tape.series, tape.step, tape.report)
    if not layout.ends:
        tape.series = bars.at_close(tape.series, tape.step)


def _say_what_was_understood(tape: Tape, layout: Layout) -> None:
    """Keep in words how the file was read, for `arena data info`."""
    told, seen = tape.report.understood, tape.report.evidence
    if layout.time:
        clock = f" and a clock of {layout.spelling.clock}" if layout.spelling.clock else ""
        told["times"] = layout.spelling.spoken() + clock
        scale = f", times {layout.scale:g}" if layout.scale != 1.0 else ""
        told["numbers"] = layout.numbers.spoken() + scale
    if tape.kind is RowKind.BARS:
        length = "of unknown length" if tape.step is None else f"of {tape.step:g} s"
        stamped = "end" if layout.ends else "start"
        told["bars"] = f"{length}, stamped at their {stamped}; a close counts when its bar ends"
    if seen.first_row:
        told["first row"], told["last row"] = seen.first_row, seen.last_row


def _check_period(series: bars.Series, layout: Layout, source: Source, report: Report) -> None:
    """Count a file that ends long before the day or month in its name; a stock's day may end."""
    end = period_end(source.names)
    if layout.day is not None and layout.zone is None:
        end = layout.day + 86400.0
    last = max(float(times[-1]) for times, _ in series.values())
    if end is not None and last < end - _SHORT:
        report.count("truncated_day")
        report.remark(f"The last price is {end - last:,.0f} s before the end of its period.")


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

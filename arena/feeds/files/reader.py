"""One file to one tape: read the rows, check them, name them."""

from __future__ import annotations

from typing import TypeVar

from arena.errors import MarketDataError
from arena.feeds.files import bars, order
from arena.feeds.files.blocks import BLOCK
from arena.feeds.files.columns import Columns
from arena.feeds.files.flow import Flow
from arena.feeds.files.formats import Content, recognise
from arena.feeds.files.layouts import Layout
from arena.feeds.files.line import Line
from arena.feeds.files.naming import bar_length, period_end, require_symbol
from arena.feeds.files.opening import Source
from arena.feeds.files.tape import Fact, Floats, Kind, Report, Tape

_SHORT = 3600.0  # a period that lacks less than an hour is a quiet market, not a truncated file

Found = TypeVar("Found", Line, tuple[Floats, Floats])


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
    """Return the tape of a file whose content is known."""
    if content.layout.note:
        report.remark(content.layout.note)
    flow = Flow(content.chunks, grid if content.layout.kind is Kind.TRADES else None, report)
    if source.cut:
        report.count("truncated_file")
    lines = flow.lines()
    if not lines:
        found = " ".join(report.notes()) or "It has no rows."
        raise MarketDataError(f"{source.label} holds no usable price. {found}")
    own = {id(line): name for name, line in lines.items()}
    lines = named(lines, source, report, (symbol, content.symbol))
    tape = _tape(lines, content, source, report)
    if grid is not None and tape.kind is Kind.TRADES:
        names = {name: own[id(line)] for name, line in lines.items()}
        tape.facts = {name: Fact(line.rows, line.first, line.last) for name, line in lines.items()}
        tape.reread = lambda name, first, last: flow.times(names[name], first, last)
    return tape


def _tape(lines: dict[str, Line], content: Content, source: Source, report: Report) -> Tape:
    layout = content.layout
    series = {name: line.series() for name, line in lines.items()}
    tape = Tape(layout.kind, series, report)
    if layout.kind is Kind.TRADES:
        report.count("identical" if layout.id is None else "repeated_id", sum(line.again for line in lines.values()))
        for name, line in lines.items():
            bars.count_pauses(name, line, report)
    else:
        tape.series = {name: order.last_of_each_time(*found, report) for name, found in series.items()}
    if layout.kind is Kind.BARS:
        report.count("zero_volume", sum(line.silent for line in lines.values()))
        _close(tape, layout, source)
    _check_period(tape.series, layout, source, report)
    return tape


def named(
    series: dict[str, Found], source: Source, report: Report, symbols: tuple[str | None, str | None]
) -> dict[str, Found]:
    """Give the series their symbols: the flag's, else the file's own, else its name's."""
    symbol, named = symbols
    if symbol is None:
        if "" in series:
            series[named or require_symbol(source.names, source.path)] = series.pop("")
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


def _rows(found: Line | tuple[Floats, Floats]) -> int:
    return found.rows if isinstance(found, Line) else len(found[0])


def _close(tape: Tape, layout: Layout, source: Source) -> None:
    """Move bars to their close, by LEAN's own length, else by the most common step."""
    tape.step = layout.step or bars.common_step(tape.series) or bar_length(source.names)
    if tape.step is None:
        tape.report.count("unknown_bar_length", sum(len(times) for times, _ in tape.series.values()))
        return
    bars.count_gaps(tape.series, tape.step, tape.report)
    if not layout.ends:
        tape.series = bars.at_close(tape.series, tape.step)


def _check_period(series: bars.Series, layout: Layout, source: Source, report: Report) -> None:
    """Count a file that ends long before the day or month in its name; a stock's day may end."""
    end = period_end(source.names)
    if layout.day is not None and layout.zone is None:
        end = layout.day + 86400.0
    last = max(float(times[-1]) for times, _ in series.values())
    if end is not None and last < end - _SHORT:
        report.count("truncated_day")
        report.remark(f"The last price is {end - last:,.0f} s before the end of its period.")

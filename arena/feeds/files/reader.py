"""One file to one tape: find the format, read the rows, check them, name them."""

from __future__ import annotations

import orjson

from arena.errors import MarketDataError
from arena.feeds.files import bars, bodies, frames, lean, order, table
from arena.feeds.files.bare import from_cells
from arena.feeds.files.layouts import Layout, from_header
from arena.feeds.files.messages import prices_of
from arena.feeds.files.naming import bar_length, period_end, require_symbol
from arena.feeds.files.opening import ACCEPTED, Source
from arena.feeds.files.sniff import Shape, sniff
from arena.feeds.files.tape import Kind, Report, Rows, Tape

_SHORT = 3600.0  # a period that lacks less than an hour is a quiet market, not a truncated file


def read(source: Source, report: Report, symbol: str | None) -> Tape:
    """Return the tape of one opened file; `symbol` is the one its flag gave, if any."""
    head = source.data[:65536].lstrip()
    layout = Layout(Kind.TRADES, (), ())
    named: str | None = None
    if source.data.startswith(b"PAR1"):
        rows, layout = table.parquet_rows(source, report)
    elif head.startswith((b"{", b"[")):
        rows, kind = bodies.from_json(source, report) or _lines(source, report)
        layout = Layout(kind, (), ())
    elif frames.looks_recorded(head):
        rows = frames.from_lines(source.data, report)
    else:
        rows, layout, named = _table(source, report)
    if layout.note:
        report.remark(layout.note)
    return _tape(rows, layout, source, report, (symbol, named))


def _lines(source: Source, report: Report) -> tuple[Rows, Kind]:
    """Read JSON lines: messages of a venue, else flat records."""
    lines = source.data.splitlines()
    first = next(line for line in lines if line.strip())
    try:
        record = orjson.loads(first)
    except orjson.JSONDecodeError:
        raise MarketDataError(f"{source.label} is JSON that cannot be parsed. {ACCEPTED}") from None
    nested = not isinstance(record, dict) or any(isinstance(value, (dict, list)) for value in record.values())
    if not nested and "raw" not in record and not prices_of(record)[0]:
        return bodies.from_objects(_objects(lines, report), source, report)
    return frames.from_lines(source.data, report), Kind.TRADES


def _objects(lines: list[bytes], report: Report) -> list[object]:
    objects = []
    for line in filter(bytes.strip, lines):
        try:
            objects.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            report.count("unparsable")
    return [found for found in objects if isinstance(found, dict)]


def _table(source: Source, report: Report) -> tuple[Rows, Layout, str | None]:
    shape = sniff(source.data)
    if shape is None:
        raise MarketDataError(f"{source.label} is not a market file that can be read. {ACCEPTED}")
    if not shape.sample:
        raise MarketDataError(f"{source.label} has a header and no rows. {ACCEPTED}")
    layout, named = _layout(shape, source)
    return table.csv_rows(source.data, shape, layout, report), layout, named


def _layout(shape: Shape, source: Source) -> tuple[Layout, str | None]:
    if shape.names is not None:
        layout = from_header(shape.names, shape.sample)
        columns = ", ".join(shape.names[:20])
        problem = f"has no columns that can be read as time and price: {columns}"
    else:
        if found := lean.recognise(shape, source):
            return found
        layout = from_cells(shape)
        problem = "has no header, and its columns are not those of a known format"
    if layout is None:
        raise MarketDataError(f"{source.label} {problem}. {ACCEPTED}")
    return layout, None


def _tape(
    rows: Rows,
    layout: Layout,
    source: Source,
    report: Report,
    symbols: tuple[str | None, str | None],
) -> Tape:
    rows = order.tidy(rows, report)
    if not len(rows.times):
        found = " ".join(report.notes()) or "It has no rows."
        raise MarketDataError(f"{source.label} holds no usable price. {found}")
    series = _named(order.split(rows), source, report, symbols)
    if layout.kind is Kind.TRADES:
        bars.count_silences(series, report)
    else:
        series = {name: order.last_of_each_time(times, prices, report) for name, (times, prices) in series.items()}
    if layout.kind is Kind.BARS:
        if rows.volumes is not None:
            report.count("zero_volume", int((rows.volumes == 0).sum()))
        series = _closed(series, layout, source, report)
    _check_period(series, layout, source, report)
    return Tape(layout.kind, series, report)


def _named(series: bars.Series, source: Source, report: Report, symbols: tuple[str | None, str | None]) -> bars.Series:
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
    others = sum(len(times) for name, (times, _) in series.items() if name != symbol)
    report.count("other_symbols", others)
    return {symbol: series[symbol]}


def _closed(series: bars.Series, layout: Layout, source: Source, report: Report) -> bars.Series:
    """Move bars to their close, by LEAN's own length, else by the most common step."""
    step = layout.step or bars.common_step(series) or bar_length(source.names)
    if step is None:
        report.count("unknown_bar_length", sum(len(times) for times, _ in series.values()))
        return series
    bars.count_gaps(series, step, report)
    return series if layout.ends else bars.at_close(series, step)


def _check_period(series: bars.Series, layout: Layout, source: Source, report: Report) -> None:
    """Count a file that ends long before the day or month in its name; a stock's day may end."""
    end = period_end(source.names)
    if layout.day is not None and layout.zone is None:
        end = layout.day + 86400.0
    last = max(float(times[-1]) for times, _ in series.values())
    if end is not None and last < end - _SHORT:
        report.count("truncated_day")
        report.remark(f"The last price is {end - last:,.0f} s before the end of its period.")

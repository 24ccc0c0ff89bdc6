"""Whole JSON documents: REST answers of Kraken and Binance, freqtrade lists, barter events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson

from arena.errors import MarketDataError
from arena.feeds.files.columnar import from_records
from arena.feeds.files.columns import Columns
from arena.feeds.files.frames import from_lines, from_messages, numbers
from arena.feeds.files.ids import Seen, of_told_ids
from arena.feeds.files.layouts import Layout
from arena.feeds.files.messages import prices_of
from arena.feeds.files.opening import ACCEPTED, Source
from arena.feeds.files.repeats import of_told_lines
from arena.feeds.files.tape import Codes, Kind, Report, Rows
from arena.feeds.files.times import seconds, stamp

_PEEK = 50
_TRADES = Layout(Kind.TRADES, (), ())

Read = tuple[Rows, Layout]


def from_json(source: Source, columns: Columns, report: Report) -> Read | None:
    """Return the rows of a JSON document and what they are, or None if the file is not one document."""
    try:
        body = orjson.loads(source.data)
    except orjson.JSONDecodeError:
        return None
    return _body(body, source, columns, report)


def from_json_lines(lines: Callable[[], Iterator[bytes]], source: Source, columns: Columns, report: Report) -> Read:
    """Return the rows of a file of many JSON texts: messages of a venue, else flat records."""
    first = next((found for found in map(_json, lines()) if found is not None), None)
    if first is None:
        raise MarketDataError(f"{source.label} is JSON that cannot be parsed. {ACCEPTED}")
    nested = not isinstance(first, dict) or any(isinstance(value, (dict, list)) for value in first.values())
    if nested or "raw" in first or prices_of(first)[0]:
        return from_lines(lines(), report), Layout(Kind.TRADES, (), ())
    objects = [_json(line) for line in filter(bytes.strip, lines())]
    report.count("unparsable", objects.count(None))
    return from_objects([found for found in objects if isinstance(found, dict)], source, columns, report)


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _body(body: Any, source: Source, columns: Columns, report: Report) -> Read:
    if isinstance(body, dict) and ("result" in body or "error" in body) and "id" not in body:
        return _kraken(body, source, report)
    if isinstance(body, dict) and (rows := _enveloped(body)):
        return from_objects(rows, source, columns, report)
    if isinstance(body, dict):
        return from_messages([body], report), _TRADES
    if not isinstance(body, list) or not body:
        raise MarketDataError(f"{source.label} holds JSON without any prices. {ACCEPTED}")
    if all(isinstance(row, list) for row in body):
        return _lists(body, source, report)
    return from_objects([row for row in body if isinstance(row, dict)], source, columns, report)


def _enveloped(body: dict[str, Any]) -> list[Any]:
    """Return the flat records that an answer like Coinbase's keeps under one name."""
    lists = [value for value in body.values() if isinstance(value, list) and value]
    rows = lists[0] if len(lists) == 1 else []
    flat = all(isinstance(row, dict) and not prices_of(row)[0] and _is_dated(row) for row in rows)
    return rows if flat else []


def _is_dated(row: dict[str, Any]) -> bool:
    return any(name.lower() in {"time", "timestamp", "start", "date", "t"} for name in row)


def from_objects(objects: list[Any], source: Source, columns: Columns, report: Report) -> Read:
    """Return the rows of a list of events, of messages, or of flat records."""
    head = objects[:_PEEK]
    if any("Item" in event or "Reconnecting" in event for event in head):
        return _barter(objects, source, report), _TRADES
    if not head or any(prices_of(message)[0] for message in head):
        return from_messages(objects, report), _TRADES
    return from_records(objects, source, columns, report)


def _kraken(body: dict[str, Any], source: Source, report: Report) -> Read:
    result = body.get("result")
    if not isinstance(result, dict):
        raise MarketDataError(f"{source.label} is an answer without data: {body.get('error')}.")
    pairs = {name: rows for name, rows in result.items() if isinstance(rows, list) and rows}
    found = [_pair(rows, source) for rows in pairs.values()]
    if not found:
        raise MarketDataError(f"{source.label} is a Kraken answer without rows. {ACCEPTED}")
    layout = found[0][1]
    if layout.kind is Kind.BARS and (last := stamp(result.get("last"))) is not None:
        report.count("unclosed_bar", sum(int((rows.times > last).sum()) for rows, _ in found))
    rows = _stacked({name: rows for name, (rows, _) in zip(pairs, found, strict=True)})
    return rows, layout


def _stacked(found: dict[str, Rows]) -> Rows:
    """Lay the rows of several pairs one after the other."""
    names = tuple(sorted(found))
    parts = [found[name] for name in names]
    volumes = [part.volumes for part in parts if part.volumes is not None]
    codes = [np.full(len(part.times), place, np.int64) for place, part in enumerate(parts)]
    return Rows(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.prices for part in parts]),
        None,
        names,
        np.concatenate(codes),
        np.concatenate(volumes) if len(volumes) == len(parts) else None,
        np.concatenate([np.zeros(len(part.times), bool) if part.again is None else part.again for part in parts]),
    )


def _pair(rows: list[list[Any]], source: Source) -> Read:
    """Tell Kraken's trades, which say `b` or `s`, from its bars."""
    if _cell(rows[0], 3) in {"b", "s"}:
        return _deals(rows, 2, 0, 6)
    if len(rows[0]) >= 7:
        return _columns(rows, 0, 4, 6), Layout(Kind.BARS, (), ())
    raise MarketDataError(f"{source.label} is neither Kraken trades nor Kraken OHLC. {ACCEPTED}")


def _lists(rows: list[list[Any]], source: Source, report: Report) -> Read:
    """Read bare lists: freqtrade trades, Kraken trades, or bars of freqtrade and Binance."""
    first = next((row for row in rows if row), [])
    if _cell(first, 3) in {"buy", "sell"}:
        return _deals(rows, 0, 4, 1)
    if _cell(first, 3) in {"b", "s"}:
        return _deals(rows, 2, 0, 6)
    if len(first) >= 5 and (stamp(first[0]) or 0.0) >= 1e8:
        report.remark("Each list was taken as a bar: first the time, fifth the close, sixth the volume.")
        return _columns(rows, 0, 4, 5), Layout(Kind.BARS, (), ())
    raise MarketDataError(f"{source.label} has lists that are neither trades nor bars. {ACCEPTED}")


def _cell(row: list[Any], place: int) -> Any:
    return row[place] if place < len(row) else None


def _deals(rows: list[list[Any]], time: int, price: int, number: int) -> Read:
    """Read trades, each of which may have a number of its own."""
    found = _columns(rows, time, price)
    ids = [_cell(row, number) for row in rows]
    if all(ids):
        Seen().mark(found, of_told_ids([str(own).encode() for own in ids], (), None))
        return found, Layout(Kind.TRADES, (), (), id=number)
    found.again = of_told_lines([str(row).encode() for row in rows], found.times).marks
    return found, _TRADES


def _columns(rows: list[list[Any]], time: int, price: int, volume: int | None = None) -> Rows:
    prices = numbers(_cell(row, price) for row in rows)
    times = seconds(numbers(_cell(row, time) for row in rows))
    volumes = None if volume is None else numbers(_cell(row, volume) for row in rows)
    return Rows(times, prices, volumes=volumes)


def _barter(events: list[dict[str, Any]], source: Source, report: Report) -> Rows:
    """Read barter-rs market events at the time they were received, as frames are."""
    times: list[float] = []
    cells: list[Any] = []
    instruments: list[str] = []
    for event in events:
        item = event.get("Item", {})
        market = item.get("Ok") if isinstance(item, dict) else None
        trade = market.get("kind", {}).get("Trade") if isinstance(market, dict) else None
        if market is None or trade is None:
            report.count("reconnects" if "Reconnecting" in event else "unknown_frames")
            continue
        times.append(stamp(market.get("time_received")) or float("nan"))
        cells.append(trade.get("price"))
        instruments.append(str(market.get("instrument")))
    symbols = tuple(sorted(set(instruments)))
    if not symbols:
        raise MarketDataError(f"{source.label} holds barter events without a trade. {ACCEPTED}")
    if len(symbols) == 1 and symbols[0].isdigit():
        return Rows(np.array(times), numbers(cells))
    if any(symbol.isdigit() for symbol in symbols):
        report.remark(f"Instruments are numbered, so the symbols are {', '.join(symbols)}.")
    codes: Codes = np.array([symbols.index(name) for name in instruments], dtype=np.int64)
    return Rows(np.array(times), numbers(cells), None, symbols, codes)

"""Whole JSON documents: REST answers of Kraken and Binance, freqtrade lists, barter events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import polars as pl

from arena.errors import MarketDataError
from arena.feeds.files.columnar import from_lists, from_records
from arena.feeds.files.columns import Layout
from arena.feeds.files.duplicates import Ids, RepeatedLines
from arena.feeds.files.frames import from_lines, from_messages, numbers, prices_of
from arena.feeds.files.naming import clean
from arena.feeds.files.report import Codes, Report, RowKind, Rows
from arena.feeds.files.series import Content
from arena.feeds.files.sources import ACCEPTED, Source
from arena.feeds.files.times import is_time, seconds, stamp, unit_of
from arena.feeds.files.told import Columns

_PEEK = 50
_TRADES = Layout(RowKind.TRADES, (), ())

Read = tuple[Rows, Layout]


def from_json(source: Source, columns: Columns, report: Report) -> Content | None:
    """Return the content of a JSON document, or None if the file is not one document."""
    try:
        body = orjson.loads(source.data)
    except orjson.JSONDecodeError:
        return None
    return _body(body, source, columns, report)


def from_json_lines(lines: Callable[[], Iterator[bytes]], source: Source, columns: Columns, report: Report) -> Content:
    """Return the content of a file of many JSON texts: messages of a venue, else flat records or lists."""
    first = next((found for found in map(_json, lines()) if found is not None), None)
    if first is None:
        raise MarketDataError(f"{source.label} is JSON that cannot be parsed. {ACCEPTED}")
    if isinstance(first, list) and first and not any(isinstance(cell, (dict, list)) for cell in first):
        rows = [_json(line) for line in filter(bytes.strip, lines())]
        report.count("unparsable", rows.count(None))
        return _lists([row for row in rows if isinstance(row, list) and row], source, columns, report)
    nested = not isinstance(first, dict) or any(isinstance(value, (dict, list)) for value in first.values())
    if nested or "raw" in first or prices_of(first)[0]:
        return _single(from_lines(lines(), report), _TRADES)
    objects = [_json(line) for line in filter(bytes.strip, lines())]
    report.count("unparsable", objects.count(None))
    return from_objects([found for found in objects if isinstance(found, dict)], source, columns, report)


def _single(rows: Rows, layout: Layout, symbol: str | None = None) -> Content:
    return Content(lambda _: iter([rows]), layout, symbol)


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _body(body: Any, source: Source, columns: Columns, report: Report) -> Content:
    if (
        isinstance(body, dict)
        and isinstance(body.get("result"), dict)
        and "error" in body
        and _is_kraken(body["result"])
    ):
        return _single(*_kraken(body, source, report))
    if isinstance(body, dict) and body.get("error") and "result" not in body and "id" not in body:
        raise MarketDataError(f"{source.label} is an answer without data: {str(body['error'])[:200]!r}.")
    if isinstance(body, dict) and prices_of(body)[0]:
        return _single(from_messages([body], report), _TRADES)
    if isinstance(body, list) and body and all(isinstance(row, dict) for row in body):
        return from_objects(body, source, columns, report)
    if not isinstance(body, (dict, list)) or not body:
        raise MarketDataError(f"{source.label} holds JSON without any prices. {ACCEPTED}")
    tables = list(_tables(body))
    if not tables:
        if isinstance(body, dict):
            return _single(from_messages([body], report), _TRADES)
        raise MarketDataError(f"{source.label} has lists that are neither trades nor bars. {ACCEPTED}")
    return _of_tables(tables, source, columns, report)


def _of_tables(tables: list[RecordTable], source: Source, columns: Columns, report: Report) -> Content:
    """Return the content of the one table of a document; several of one form are those of several symbols."""
    first = tables[0]
    if len(tables) > 1:
        named = [table for table in tables if table.name and isinstance(table.rows[0], dict)]
        keys = [set(table.rows[0]) for table in named if isinstance(table.rows[0], dict)]
        if len(named) < len(tables) or any(own != keys[0] for own in keys):
            lists = {table.name: len(table.rows) for table in tables}
            prices = [table for table in tables if table.name == "prices"]
            if len(prices) == 1:
                return _of_tables(prices, source, columns, report)
            shown = ", ".join(f"{clean(name)!r} of {rows}" for name, rows in list(lists.items())[:8])
            raise MarketDataError(
                f"{source.label} holds several tables ({shown}); give it with one of them. {ACCEPTED}"
            )
        rows = [{"symbol": table.name, **row} for table in named for row in table.rows if isinstance(row, dict)]
        return from_objects(rows, source, columns, report)
    rows = [row for row in first.rows if isinstance(row, type(first.rows[0]))]
    if isinstance(first.rows[0], dict):
        found = from_objects(rows, source, columns, report)
    else:
        found = _lists([row for row in first.rows if isinstance(row, list)], source, columns, report)
    return replace(found, symbol=found.symbol or first.symbol)


@dataclass(frozen=True, slots=True)
class RecordTable:
    """A table within a document: flat records or lists, the key it stands under, and a symbol said beside it."""

    rows: list[Any]
    name: str = ""
    symbol: str | None = None


_DEEPEST = 6


def _tables(body: Any, name: str = "", symbol: str | None = None, depth: int = 0) -> Iterator[RecordTable]:
    """Yield the tables of a document: lists of records or of lists, columns by name, and the forms of pandas."""
    if depth > _DEEPEST or not body:
        return
    if isinstance(body, list):
        yield from _in_list(body, name, symbol, depth)
    elif isinstance(body, dict):
        yield from _in_object(body, name, _said_symbol(body) or symbol, depth)


def _in_list(body: list[Any], name: str, symbol: str | None, depth: int) -> Iterator[RecordTable]:
    heads = body[:_PEEK]
    if all(isinstance(row, dict) for row in heads) and all(_is_flat(row.values()) for row in heads):
        yield RecordTable([row for row in body if isinstance(row, dict)], name, symbol)
    elif all(isinstance(row, list) for row in heads) and all(_is_flat(row) for row in heads if row):
        if rows := [row for row in body if isinstance(row, list) and row]:
            yield RecordTable(rows, name, symbol)
    elif all(isinstance(part, (dict, list)) for part in heads):
        for part in body[:1000]:
            yield from _tables(part, name, symbol, depth + 1)


def _in_object(body: dict[str, Any], name: str, symbol: str | None, depth: int) -> Iterator[RecordTable]:
    if isinstance(body.get("columns"), list) and isinstance(body.get("data"), list):
        yield RecordTable(_split(body), name, symbol)
    elif isinstance(body.get("schema"), dict) and isinstance(body.get("data"), list):
        yield RecordTable([row for row in body["data"] if isinstance(row, dict)], name, symbol)
    elif columns := _columns_of(body):
        yield RecordTable(columns, name, symbol)
    elif rows := _by_index(body):
        yield RecordTable(rows, name, symbol)
    else:
        for key, part in body.items():
            if isinstance(part, (dict, list)) and key not in {"schema", "meta", "Meta Data"}:
                yield from _tables(part, key, symbol, depth + 1)


def _is_flat(cells: Iterable[Any]) -> bool:
    return not any(isinstance(cell, (dict, list)) for cell in cells)


def _said_symbol(body: dict[str, Any]) -> str | None:
    """Return the symbol that stands beside a table, as answers of venues have it."""
    meta = body.get("meta") if isinstance(body.get("meta"), dict) else body.get("Meta Data")
    for part in (body, meta if isinstance(meta, dict) else {}):
        for key in ("symbol", "ticker", "pair", "instId", "product_id", "2. Symbol"):
            if isinstance(part.get(key), str) and part[key]:
                return clean(part[key])
    channel = body.get("ch")
    parts = channel.split(".") if isinstance(channel, str) else []
    return clean(parts[1].upper()) if len(parts) > 2 else None


def _split(body: dict[str, Any]) -> list[Any]:
    """Return the records of pandas' form `split`."""
    names = [str(tuple(name)) if isinstance(name, list) else str(name) for name in body["columns"]]
    index = body.get("index") if isinstance(body.get("index"), list) else None
    rows = [row for row in body["data"] if isinstance(row, list)]
    if index is None or len(index) != len(rows):
        return [dict(zip(names, row, strict=False)) for row in rows]
    return [{**_index_cells(own), **dict(zip(names, row, strict=False))} for own, row in zip(index, rows, strict=True)]


def _index_cells(own: Any) -> dict[str, Any]:
    return (
        {f"index {n}" if n else "index": cell for n, cell in enumerate(own)}
        if isinstance(own, list)
        else {"index": own}
    )


def _columns_of(body: dict[str, Any]) -> list[Any]:
    """Return the records of lists by name, all of one length, as in `{"t": […], "c": […]}`; nested ones are joined."""
    found: dict[str, list[Any]] = {}
    for key, part in body.items():
        if isinstance(part, list) and part and _is_flat(part):
            found[key] = part
        elif isinstance(part, dict) and isinstance(part.get("quote"), list):
            # Yahoo keeps the prices of its times one level deeper.
            for inner in part["quote"][:1]:
                found |= {k: v for k, v in inner.items() if isinstance(v, list)} if isinstance(inner, dict) else {}
    lengths = {len(part) for part in found.values()}
    if len(found) < 2 or len(lengths) != 1:
        return []
    if "ticks" in found and "close" in found:
        found["time"] = found.pop("ticks")
    names = list(found)
    return [dict(zip(names, row, strict=True)) for row in zip(*found.values(), strict=True)]


def _by_index(body: dict[str, Any]) -> list[Any]:
    """Return the records of pandas' forms `columns` and `index`, and of answers that have a record for each time."""
    parts = list(body.values())
    if not parts or not all(isinstance(part, dict) and part and _is_flat(part.values()) for part in parts):
        return []
    if all(_is_moment(key) for key in list(body)[:_PEEK]):
        return [{"index": key, **{_unnumbered(name): cell for name, cell in row.items()}} for key, row in body.items()]
    keys = list(parts[0])
    if len(parts) > 1 and all(list(part) == keys for part in parts):
        moments = all(_is_moment(key) for key in keys[:_PEEK])
        rows = [{name: column[key] for name, column in body.items()} for key in keys]
        counted = all(key.isdecimal() for key in keys)
        if moments and not any(name.lower() in _DATED for name in body):
            return [{"index": key, **row} for key, row in zip(keys, rows, strict=True)]
        if counted:
            return rows
    if all(key.isdecimal() for key in body) and all(set(part) == set(keys) for part in parts):
        return parts
    return []


def _is_moment(key: str) -> bool:
    return is_time(key) or (key.lstrip("-").isdecimal() and len(key) >= 9)


def _unnumbered(name: str) -> str:
    """Return a name without the number that Alpha Vantage puts before it, as in `4. close`."""
    return re.sub(r"^\d+[a-z]?\. ", "", name)


_DATED = frozenset(("time", "timestamp", "start", "date", "t", "datetime", "open_time", "opentime"))


def from_objects(objects: list[Any], source: Source, columns: Columns, report: Report) -> Content:
    """Return the content of a list of events, of messages, or of flat records."""
    objects = [found for found in objects if isinstance(found, dict)]
    head = objects[:_PEEK]
    if any("Item" in event or "Reconnecting" in event for event in head):
        return _single(_barter(objects, source, report), _TRADES)
    if not head or any(prices_of(message)[0] for message in head):
        return _single(from_messages(objects, report), _TRADES)
    if not all(_is_flat(row.values()) for row in head) and (tables := list(_tables(objects))):
        return _of_tables(tables, source, columns, report)
    if head[0].keys() >= {"id", "open", "close", "amount", "vol"} and all(stamp(row.get("id")) for row in head):
        objects = [{"time" if name == "id" else name: cell for name, cell in row.items()} for row in objects]
    return from_records(objects, source, columns, report)


def _is_kraken(result: dict[str, Any]) -> bool:
    return any(isinstance(rows, list) and rows and isinstance(rows[0], list) for rows in result.values()) and (
        "last" in result or not {"list", "category"} & result.keys()
    )


def _kraken(body: dict[str, Any], source: Source, report: Report) -> Read:
    result = body.get("result")
    if not isinstance(result, dict):
        raise MarketDataError(f"{source.label} is an answer without data: {body.get('error')}.")
    pairs = {name: rows for name, rows in result.items() if isinstance(rows, list) and rows}
    found = [_pair(rows, source) for rows in pairs.values()]
    if not found:
        raise MarketDataError(f"{source.label} is a Kraken answer without rows. {ACCEPTED}")
    layout = found[0][1]
    if layout.kind is RowKind.BARS and (last := stamp(result.get("last"))) is not None:
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
        return _columns(rows, 0, 4, 6), Layout(RowKind.BARS, (), ())
    raise MarketDataError(f"{source.label} is neither Kraken trades nor Kraken OHLC. {ACCEPTED}")


def _lists(rows: list[list[Any]], source: Source, columns: Columns, report: Report) -> Content:
    """Read bare lists: freqtrade trades, Kraken trades, or bars, whose cells tell in which order they stand."""
    first = rows[0] if rows else []
    if columns.names_none():
        if _cell(first, 3) in {"buy", "sell"}:
            return _single(*_deals(rows, 0, 4, 1))
        if _cell(first, 3) in {"b", "s"}:
            return _single(*_deals(rows, 2, 0, 6))
        if first and all(isinstance(cell, str) and not is_time(cell) and stamp(cell) is None for cell in first):
            names = [str(cell) for cell in first]
            return from_records([dict(zip(names, row, strict=False)) for row in rows[1:]], source, columns, report)
    found = from_lists(rows, source, columns, report) if rows else None
    if found is None:
        shown = ", ".join(repr(str(cell)[:40]) for cell in first[:12])
        raise MarketDataError(f"{source.label} has lists that are neither trades nor bars, like {shown}. {ACCEPTED}")
    return found


def _cell(row: list[Any], place: int) -> Any:
    return row[place] if place < len(row) else None


def _deals(rows: list[list[Any]], time: int, price: int, number: int) -> Read:
    """Read trades, each of which may have a number of its own."""
    found = _columns(rows, time, price)
    ids = [_cell(row, number) for row in rows]
    if all(ids):
        found.again = Ids().mark(pl.Series([str(own) for own in ids]))
        return found, Layout(RowKind.TRADES, (), (), id=number)
    found.again = RepeatedLines().mark(found.times, lambda: pl.Series([str(row) for row in rows]))
    return found, _TRADES


def _columns(rows: list[list[Any]], time: int, price: int, volume: int | None = None) -> Rows:
    prices = numbers(_cell(row, price) for row in rows)
    stamps = numbers(_cell(row, time) for row in rows)
    known = stamps[np.isfinite(stamps)]
    unit = unit_of(float(known.min()), float(known.max())) if known.size else 1.0
    times = seconds(stamps, 1.0 if unit is None else unit)
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

"""Recorded ticks as columns: read in blocks, so that neither memory nor the clock's thread feels a long season."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, Engine, Select, select

from arena.store.bulk import table_of
from arena.store.json_text import from_json
from arena.store.models import Season, SymbolSet, TickRow
from arena.store.moved import moved_until, tick_batches

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_BATCH = 4096  # rows that are read and parsed in one call: a few milliseconds in which no other thread runs
_AT_ONCE = 256  # rows at a time from the driver: below what sets off a collection of garbage
_ROWS, _SETS, _SEASONS = table_of(TickRow), table_of(SymbolSet), table_of(Season)


@dataclass(frozen=True, slots=True)
class TickColumns:
    """Consecutive ticks from number `first` on: `rows` is float64 (ticks, 1 + symbols), time first, NaN for no price.

    `conditions` are those of the ticks that had any, by tick number.
    """

    first: int
    symbols: tuple[str, ...]
    rows: Floats
    conditions: Mapping[int, Mapping[str, Any]]


def tick_columns(engine: Engine, season_id: str, first: int, end: int) -> Iterator[TickColumns]:
    """Yield a season's ticks from `first` to before `end` in blocks; a block ends where a tick is missing."""
    with engine.connect() as connection:
        stored_from = moved_until(connection, season_id, "ticks") + 1
    if first < stored_from:
        for rows in tick_batches(engine, season_id, first, min(end, stored_from) - 1, _BATCH):
            found = [(row["n"], row["time"], row["conditions"]) for row in rows]
            yield from _blocks(found, *_columns([row["prices"] for row in rows]))
    yield from _stored(engine, season_id, max(first, stored_from), end)


def _stored(engine: Engine, season_id: str, first: int, end: int) -> Iterator[TickColumns]:
    """Yield the ticks that stand in the database, whose prices need no names as long as the symbols stay."""
    query = (
        select(_ROWS.c.n, _ROWS.c.time, _ROWS.c.conditions, _ROWS.c.symbols, _ROWS.c.prices)
        .order_by(_ROWS.c.n)
        .limit(_BATCH)
    )
    with engine.connect() as connection:
        season = connection.execute(select(_SEASONS.c.number).where(_SEASONS.c.id == season_id)).scalar_one()
        while first < end:
            numbers, times, conditions, sets, texts = _values(
                connection, query.where(_ROWS.c.season == season, _ROWS.c.n >= first, _ROWS.c.n < end)
            )
            if not numbers:
                return
            names = _symbols(engine, set(sets))
            if len(names) == 1 and names[sets[0]]:
                flat: list[float] = orjson.loads("[" + ",".join([text[1:-1] for text in texts]) + "]")
                columns = _sorted(names[sets[0]], flat)
            else:
                prices: list[list[float]] = orjson.loads("[" + ",".join(texts) + "]")
                columns = _columns(
                    [dict(zip(names[s], each, strict=True)) for s, each in zip(sets, prices, strict=True)]
                )
            yield from _blocks(list(zip(numbers, times, conditions, strict=True)), *columns)
            first = numbers[-1] + 1


def _values(connection: Connection, query: Select[Any]) -> list[list[Any]]:
    """Return what each column of a query holds, as the driver gives it.

    SQLAlchemy's own rows, and collections of garbage that thousands of rows at once set off, would take three quarters
    of the time of a proof of a long season.
    """
    columns: list[list[Any]] = [[] for _ in query.selected_columns]
    cursor = connection.connection.cursor()
    try:
        cursor.execute(str(query.compile(connection, compile_kwargs={"literal_binds": True})))
        while rows := cursor.fetchmany(_AT_ONCE):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column.extend(values)
    finally:
        cursor.close()
    return columns


def _symbols(engine: Engine, numbers: Collection[int]) -> dict[int, tuple[str, ...]]:
    with engine.connect() as connection:
        found = connection.execute(select(_SETS.c.number, _SETS.c.symbols).where(_SETS.c.number.in_(numbers)))
        return {number: tuple(orjson.loads(text)) for number, text in found}


def _sorted(symbols: Sequence[str], prices: Sequence[float]) -> tuple[tuple[str, ...], Floats]:
    """Return the symbols in order, and the prices with a column for each; given are those of all ticks in a row."""
    import numpy as np

    order = sorted(range(len(symbols)), key=symbols.__getitem__)
    values = np.array(prices, dtype=float).reshape(-1, len(symbols))
    return tuple(symbols[place] for place in order), values[:, order]


def _columns(prices: Sequence[Mapping[str, float]]) -> tuple[tuple[str, ...], Floats]:
    """Return all symbols in order, and the prices with a column for each, NaN where a tick has none."""
    import numpy as np

    symbols, nan = tuple(sorted(set().union(*prices))), float("nan")
    if not symbols:
        return (), np.empty((len(prices), 0))
    return _sorted(symbols, [each.get(symbol, nan) for each in prices for symbol in symbols])


def _blocks(
    ticks: Sequence[tuple[int, float, Mapping[str, Any] | str | None]], symbols: tuple[str, ...], prices: Floats
) -> Iterator[TickColumns]:
    import numpy as np

    numbers = [n for n, _, _ in ticks]
    values = np.column_stack([[time for _, time, _ in ticks], prices])
    # PostgreSQL's driver has read the JSON already, SQLite's has not.
    strange = {n: from_json(found) if isinstance(found, str) else found for n, _, found in ticks if found}
    borders = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
    for start, stop in zip([0, *borders], [*borders, len(ticks)], strict=True):
        inside = range(numbers[start], numbers[stop - 1] + 1)
        held = {n: found for n, found in strange.items() if n in inside}
        yield TickColumns(numbers[start], symbols, values[start:stop], held)

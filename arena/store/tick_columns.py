"""Recorded ticks as columns: read in blocks, so that neither memory nor the clock's thread feels a long season."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Engine, Text, cast, select

from arena.store.bulk import table_of
from arena.store.models import Tick

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_BATCH = 4096  # rows that are parsed in one call: a few milliseconds in which no other thread runs
_TICKS = table_of(Tick)


@dataclass(frozen=True, slots=True)
class TickColumns:
    """Consecutive ticks from number `first` on: `rows` is float64 (ticks, 1 + symbols), time first, NaN for no price.

    `conditions` are those of the ticks that had any, by tick number.
    """

    first: int
    symbols: tuple[str, ...]
    rows: npt.NDArray[np.float64]
    conditions: Mapping[int, Mapping[str, Any]]


def tick_columns(engine: Engine, season_id: str, first: int, end: int) -> Iterator[TickColumns]:
    """Yield a season's ticks from `first` to before `end` in blocks; a block ends where a tick is missing."""
    query = (
        select(_TICKS.c.n, _TICKS.c.time, cast(_TICKS.c.prices, Text), cast(_TICKS.c.conditions, Text))
        .where(_TICKS.c.season_id == season_id, _TICKS.c.n >= first, _TICKS.c.n < end)
        .order_by(_TICKS.c.n)
    )
    with engine.connect().execution_options(yield_per=_BATCH) as connection, connection.execute(query) as found:
        for rows in found.partitions():
            yield from _columns(rows)


def _columns(rows: Sequence[Any]) -> Iterator[TickColumns]:
    import numpy as np

    numbers, times, texts, conditions = zip(*rows, strict=True)
    prices: list[dict[str, float]] = orjson.loads("[" + ",".join(texts) + "]")
    symbols = tuple(sorted(prices[0]))
    try:
        columns = [[each[symbol] for each in prices] for symbol in symbols]
        whole = sum(map(len, prices)) == len(prices) * len(symbols)
    except KeyError:
        whole = False
    if not whole:
        nan = float("nan")
        symbols = tuple(sorted(set().union(*prices)))
        columns = [[each.get(symbol, nan) for each in prices] for symbol in symbols]
    values = np.array([times, *columns]).T
    told = {text: orjson.loads(text) for text in set(conditions) if text is not None}
    strange = {n: told[text] for n, text in zip(numbers, conditions, strict=True) if told.get(text)} if told else {}
    borders = (np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()
    for start, stop in zip([0, *borders], [*borders, len(rows)], strict=True):
        inside = range(numbers[start], numbers[stop - 1] + 1)
        held = {n: found for n, found in strange.items() if n in inside}
        yield TickColumns(numbers[start], symbols, values[start:stop], held)

"""Roll-ups of equity: open, high, low and close of each bot by the minute and by the hour.

They are written in the transaction of the rows they are of, so that a crash leaves both or neither, and stay when
those rows are moved away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, Executable, Table, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from arena.core.scoring import RANKED_EVERY
from arena.store.bulk import Row, given_rows, json_document, table_of
from arena.store.models import EntryNumber, EquityRollup, EquityStored, Season

LEVELS = (60, 3600)  # seconds
_ROLLUPS, _ROWS, _ENTRIES, _SEASONS = (table_of(each) for each in (EquityRollup, EquityStored, EntryNumber, Season))
_KEYS = ("start", "entry", "seconds")
_BATCH = 5000


def levels_of(interval: float) -> tuple[int, ...]:
    """Return the levels at which a season's equity is rolled up: those that are wider than from row to row."""
    return tuple(level for level in LEVELS if interval * RANKED_EVERY < level)


def roll_up(connection: Connection, rows: Sequence[Row], interval: float) -> None:
    """Add equity rows, each bot's in order, to the roll-ups of a season with this interval of ticks."""
    made: dict[tuple[int, int, int], Row] = {}
    for level in levels_of(interval):
        for row in rows:
            key = int(row["time"] // level) * level, row["entry"], level
            there = made.get(key)
            if there is None:
                made[key] = _first(key, row)
            else:
                _add(there, row)
    if not made:
        return
    given = list(made.values())
    if connection.dialect.name == "postgresql":
        connection.execute(_statement(_ROLLUPS, postgres=True), json_document(given))
    else:
        connection.execute(_statement(_ROLLUPS, postgres=False), given)


def _first(key: tuple[int, int, int], row: Row) -> Row:
    equity = row["equity"]
    return {
        "start": key[0], "entry": key[1], "seconds": key[2], "open": equity, "high": equity, "low": equity,
        "close": equity, "realized_pnl": row["realized_pnl"], "unrealized_pnl": row["unrealized_pnl"],
        "time": row["time"], "tick": row["tick"], "rows": 1,
    }  # fmt: skip


def _add(there: Row, row: Row) -> None:
    equity = row["equity"]
    there.update(
        high=max(there["high"], equity), low=min(there["low"], equity), close=equity, rows=there["rows"] + 1,
        realized_pnl=row["realized_pnl"], unrealized_pnl=row["unrealized_pnl"], time=row["time"], tick=row["tick"],
    )  # fmt: skip


@lru_cache(maxsize=2)
def _statement(table: Table, *, postgres: bool) -> Executable:
    """Return the statement that adds roll-ups to those that are there."""
    names = tuple(table.c.keys())
    greatest, least = (func.greatest, func.least) if postgres else (func.max, func.min)
    made: Any
    if postgres:
        given = given_rows(table, names)
        made = postgres_insert(table).from_select(list(names), select(*(given.c[name] for name in names)))
    else:
        made = sqlite_insert(table).values({name: bindparam(name) for name in names})
    changed = {name: made.excluded[name] for name in names if name not in {*_KEYS, "open"}}
    changed["high"] = greatest(table.c.high, made.excluded.high)
    changed["low"] = least(table.c.low, made.excluded.low)
    changed["rows"] = table.c.rows + made.excluded.rows
    return made.on_conflict_do_update(index_elements=_KEYS, set_=changed)  # type: ignore[no-any-return]


def fill_missing(engine: Engine) -> int:
    """Make the roll-ups of every bot that has equity and no roll-up, such as after an upgrade; return how many bots.

    A bot's are made in one transaction; what was made before a crash is kept.
    """
    made = 0
    with engine.connect() as connection:
        entries = connection.execute(
            select(_ENTRIES.c.number, _SEASONS.c.interval).join(_SEASONS, _SEASONS.c.id == _ENTRIES.c.season_id)
        ).all()
    for entry, interval in entries:
        if not levels_of(interval):
            continue
        with engine.begin() as connection:
            if _has(connection, _ROLLUPS, entry) or not _has(connection, _ROWS, entry):
                continue
            for rows in _stored(connection, entry):
                roll_up(connection, rows, interval)
        made += 1
    return made


def _has(connection: Connection, table: Table, entry: int) -> bool:
    return connection.execute(select(table.c.entry).where(table.c.entry == entry).limit(1)).first() is not None


def _stored(connection: Connection, entry: int) -> Iterator[list[Row]]:
    last = (float("-inf"), 0)
    columns = (_ROWS.c.id, _ROWS.c.time, _ROWS.c.equity, _ROWS.c.realized_pnl, _ROWS.c.unrealized_pnl, _ROWS.c.tick)
    while True:
        after = (_ROWS.c.time > last[0]) | and_(_ROWS.c.time == last[0], _ROWS.c.id > last[1])
        query = select(*columns).where(_ROWS.c.entry == entry, after).order_by(_ROWS.c.time, _ROWS.c.id).limit(_BATCH)
        found = [{**row, "entry": entry} for row in connection.execute(query).mappings()]
        if not found:
            return
        yield found
        last = found[-1]["time"], found[-1]["id"]

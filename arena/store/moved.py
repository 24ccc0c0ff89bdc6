"""Ticks and equity of a season in order, wherever they are: in Parquet files beside the database, or in it.

A file is read only if its SHA-256 is the one that was kept when it was written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, Engine, Select, func, select

from arena.errors import StoreError
from arena.store.bulk import Row, table_of
from arena.store.models import ArchivePart, EntryNumber, EquityStored, Tick

if TYPE_CHECKING:
    import polars as pl

_PARTS, _TICKS, _ROWS, _ENTRIES = (table_of(each) for each in (ArchivePart, Tick, EquityStored, EntryNumber))
_BATCH = 5000
KEPT_EVERY = 600  # ticks: every so many stay in the database when those between are moved


def equity_columns() -> Select[Any]:
    """Select the columns of `equity` from the tables behind it, so that the indexes of both are of use."""
    return select(
        _ROWS.c.id, _ROWS.c.time, _ENTRIES.c.bot_name, _ROWS.c.equity, _ROWS.c.realized_pnl, _ROWS.c.unrealized_pnl,
        _ROWS.c.cash, _ENTRIES.c.season_id, _ENTRIES.c.bot_id, _ROWS.c.tick,
    ).join(_ENTRIES, _ENTRIES.c.number == _ROWS.c.entry)  # fmt: skip


def tick_batches(
    engine: Engine, season_id: str, first: int | None = None, last: int | None = None, size: int = _BATCH
) -> Iterator[list[Row]]:
    """Yield a season's ticks from `first` to `last`, both included, so many at a time."""
    moved = -1
    for part in parts(engine, season_id, "ticks"):
        moved = part["last"]
        if (first is None or part["last"] >= first) and (last is None or part["first"] <= last):
            yield from _slices(read_part(engine, part), size, "n", first, last)
    # One lower bound: of two, SQLite may search by the smaller one, and look at the whole season.
    mine = [_TICKS.c.season_id == season_id, _TICKS.c.n >= max(moved + 1, first or 0)]
    mine += [] if last is None else [_TICKS.c.n <= last]
    yield from row_batches(engine, select(_TICKS).where(*mine).order_by(_TICKS.c.n), size)


def equity_batches(
    engine: Engine, season_id: str, bot_id: str | None = None, last_tick: int | None = None, size: int = _BATCH
) -> Iterator[list[Row]]:
    """Yield a season's equity rows, or a bot's in it, up to a tick, so many at a time."""
    moved = -1
    for part in parts(engine, season_id, "equity"):
        moved = part["last"]
        frame = read_part(engine, part)
        yield from _slices(frame if bot_id is None else frame.filter(bot_id=bot_id), size, "tick", None, last_tick)
    mine = [_ENTRIES.c.season_id == season_id, _ROWS.c.id > moved]
    mine += [] if bot_id is None else [_ENTRIES.c.bot_id == bot_id]
    mine += [] if last_tick is None else [_ROWS.c.tick <= last_tick]
    order = (_ROWS.c.id,) if bot_id is None else (_ROWS.c.time, _ROWS.c.id)
    yield from row_batches(engine, equity_columns().where(*mine).order_by(*order), size)


def row_batches(engine: Engine, query: Select[Any], size: int) -> Iterator[list[Row]]:
    """Yield what a query finds, so many rows at a time."""
    with (
        engine.connect().execution_options(yield_per=size) as connection,
        connection.execute(query) as found,
    ):
        for rows in found.mappings().partitions():
            yield [dict(row) for row in rows]


def parts(engine: Engine, season_id: str, kind: str) -> list[Row]:
    """Return the files that a season's rows of a kind were moved to, oldest first."""
    query = select(_PARTS).where(_PARTS.c.season_id == season_id, _PARTS.c.kind == kind).order_by(_PARTS.c.first)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def moved_until(connection: Connection, season_id: str, kind: str) -> int:
    """Return up to which id, or number of a tick, a season's rows were moved; -1 if none were."""
    query = select(func.max(_PARTS.c.last)).where(_PARTS.c.season_id == season_id, _PARTS.c.kind == kind)
    found = connection.execute(query).scalar()
    return -1 if found is None else int(found)


def archive_folder(engine: Engine) -> Path:
    """Return the folder of the files of a database: beside an SQLite file, else in the working directory."""
    name = engine.url.database or ""
    if engine.dialect.name == "sqlite" and name not in {"", ":memory:"}:
        return folder_beside(Path(name))
    return Path("lab.archive").resolve()


def folder_beside(database_file: Path) -> Path:
    """Return the folder of the files that belong to an SQLite file."""
    return database_file.resolve().with_suffix(".archive")


def find_part(engine: Engine, part: Row) -> Path:
    """Return where a part's file is: beside the database, which may have moved with it, or where it was written."""
    for folder in (archive_folder(engine), Path(part["folder"])):
        path = folder / str(part["file"])
        if path.is_file():
            return path
    raise StoreError(f"The archive file {part['file']} is missing; put it back into {archive_folder(engine)}.")


def read_part(engine: Engine, part: Row) -> pl.DataFrame:
    """Return the rows of a part; StoreError where its file is missing or is not what was written."""
    # Made here because polars takes a while to import and most databases have no such files.
    import polars as pl

    path = find_part(engine, part)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != part["sha256"]:
        raise StoreError(
            f"The archive file {path} is not what was written, its SHA-256 differs; put back the right one."
        )
    return pl.read_parquet(BytesIO(data))


def _slices(frame: pl.DataFrame, size: int, column: str, first: int | None, last: int | None) -> Iterator[list[Row]]:
    import polars as pl

    if first is not None:
        frame = frame.filter(pl.col(column) >= first)
    if last is not None:
        frame = frame.filter(pl.col(column) <= last)
    for some in frame.iter_slices(size):
        rows = some.to_dicts()
        for row in rows:
            for name in ("prices", "conditions"):
                if row.get(name) is not None:
                    row[name] = orjson.loads(row[name])
        if rows:
            yield rows

"""Moves old ticks and equity of a season to Parquet files beside the database, a bounded number of rows at a time.

A file is whole on disk before the database says that it counts, and rows are taken out only after that: a crash at any
moment leaves each row in at least one place, and what is read afterwards has it once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from arena.errors import ConflictError
from arena.store.bulk import Row, table_of
from arena.store.frames import frame_of
from arena.store.models import ArchivePart, EntryNumber, EquityRow, EquityStored, Season, Tick, TickRow
from arena.store.moved import KEPT_EVERY, archive_folder, equity_columns, moved_until
from arena.store.queries import tick_span

PART_ROWS = 50_000  # of one file: some 30 MiB of memory while it is made
_DELETED_AT_ONCE = 5000  # in one transaction, so that a tick does not wait for longer than some milliseconds
_PARTS, _TICKS, _TICK_ROWS, _ROWS, _ENTRIES, _SEASONS = (
    table_of(each) for each in (ArchivePart, Tick, TickRow, EquityStored, EntryNumber, Season)
)
Told = Callable[[str, int], None]


def _nobody(_kind: str, _rows: int) -> None:
    """Tell nobody how far it is."""


def archive_season(engine: Engine, number: int, told: Told = _nobody) -> int:
    """Move equity and ticks of a closed season to files; return how many rows.

    Of the ticks, the last one and every 600th stay beside their copies in the files, for charts.

    ConflictError if the season is open: its bots may still need its ticks.
    """
    with engine.connect() as connection:
        season = connection.execute(select(_SEASONS).where(_SEASONS.c.number == number)).mappings().first()
    if season is None or season["status"] != "closed":
        why = "is open; close it first" if season is not None else "is not there"
        raise ConflictError(f"Season {number} {why}: `arena season list` names the seasons.")
    return archive_equity(engine, season["id"], None, told) + _archive_ticks(engine, season["id"], number, told)


def archive_equity(engine: Engine, season_id: str, before: float | None, told: Told = _nobody) -> int:
    """Move a season's equity rows of earlier than `before`, or all, to files; return how many were moved."""
    moved = 0
    with engine.connect() as connection:
        entries = list(connection.execute(select(_ENTRIES.c.number).where(_ENTRIES.c.season_id == season_id)).scalars())
        number = connection.execute(select(_SEASONS.c.number).where(_SEASONS.c.id == season_id)).scalar_one()
        first, last = _equity_ends(connection, entries, before)
        until = moved_until(connection, season_id, "equity")
    if first is not None and first <= until:
        # Left by a crash between a file and what it is of.
        _take_out_equity(engine, entries, first, until)
    while last is not None and until < last:
        query = equity_columns().where(_ENTRIES.c.season_id == season_id, _ROWS.c.id > until, _ROWS.c.id <= last)
        rows = _some(engine, query.order_by(_ROWS.c.id))
        if not rows:
            break
        _keep(engine, EquityRow, "equity", season_id, number, rows)
        _take_out_equity(engine, entries, rows[0]["id"], rows[-1]["id"])
        until, moved = rows[-1]["id"], moved + len(rows)
        told("equity", len(rows))
    return moved


def _equity_ends(connection: Connection, entries: list[int], before: float | None) -> tuple[int | None, int | None]:
    """Return the lowest id of the entries, and the highest of earlier than `before`; by key, never by reading on."""
    firsts, lasts = [], []
    for entry in entries:
        mine = select(_ROWS.c.id).where(_ROWS.c.entry == entry)
        firsts.append(connection.execute(mine.order_by(_ROWS.c.time, _ROWS.c.id).limit(1)).scalar())
        early = mine if before is None else mine.where(_ROWS.c.time < before)
        lasts.append(connection.execute(early.order_by(_ROWS.c.time.desc(), _ROWS.c.id.desc()).limit(1)).scalar())
    return min((n for n in firsts if n is not None), default=None), max(
        (n for n in lasts if n is not None), default=None
    )


def _take_out_equity(engine: Engine, entries: list[int], first: int, last: int) -> None:
    for start in range(first, last + 1, _DELETED_AT_ONCE):
        end = min(last, start + _DELETED_AT_ONCE - 1)
        with engine.begin() as connection:
            mine = connection.execute(
                select(_ROWS.c.id, _ROWS.c.entry).where(_ROWS.c.id >= start, _ROWS.c.id <= end)
            ).all()
            others = {entry for _, entry in mine} - set(entries)
            gone = [_ROWS.c.id >= start, _ROWS.c.id <= end, *([_ROWS.c.entry.not_in(others)] if others else [])]
            connection.execute(delete(_ROWS).where(*gone))


def _archive_ticks(engine: Engine, season_id: str, number: int, told: Told) -> int:
    moved = 0
    with engine.connect() as connection:
        first, last = tick_span(connection, season_id)
        until = moved_until(connection, season_id, "ticks")
    if first is None or last is None:
        return 0
    if first <= until:
        _take_out_ticks(engine, number, first, until)
    # The last one stays: readers ask for it, and the numbers of a season end with it.
    while until < last - 1:
        query = select(_TICKS).where(_TICKS.c.season_id == season_id, _TICKS.c.n > until, _TICKS.c.n < last)
        rows = _some(engine, query.order_by(_TICKS.c.n))
        if not rows:
            break
        _keep(engine, Tick, "ticks", season_id, number, rows)
        _take_out_ticks(engine, number, rows[0]["n"], rows[-1]["n"])
        until, moved = rows[-1]["n"], moved + len(rows)
        told("ticks", len(rows))
    return moved


def _take_out_ticks(engine: Engine, number: int, first: int, last: int) -> None:
    for start in range(first, last + 1, _DELETED_AT_ONCE):
        end = min(last, start + _DELETED_AT_ONCE - 1)
        with engine.begin() as connection:
            connection.execute(
                delete(_TICK_ROWS).where(
                    _TICK_ROWS.c.season == number, _TICK_ROWS.c.n.between(start, end), _TICK_ROWS.c.n % KEPT_EVERY != 0
                )
            )


def _some(engine: Engine, query: Any) -> list[Row]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query.limit(PART_ROWS)).mappings()]


def _keep(engine: Engine, model: Any, kind: str, season_id: str, number: int, rows: list[Row]) -> None:
    """Write rows to a file of their own, and the file's hash to the database."""
    key = "n" if kind == "ticks" else "id"
    folder = archive_folder(engine)
    file = Path(f"season-{number}") / f"{kind}-{rows[0][key]:010}.parquet"
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    frame_of(model, rows).write_parquet(partial, compression="zstd")
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(path)
    _sync_folder(path.parent)
    with engine.begin() as connection:
        connection.execute(insert(_PARTS), {
            "season_id": season_id, "kind": kind, "first": rows[0][key], "last": rows[-1][key],
            "last_time": rows[-1]["time"], "rows": len(rows), "file": str(file), "folder": str(folder),
            "bytes": path.stat().st_size, "sha256": digest,
        })  # fmt: skip


def _sync_folder(folder: Path) -> None:
    """Have the name of a new file survive a power cut as well."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_back(engine: Engine, pages: int = 500) -> int:
    """Give what was freed in an SQLite file back to the disk, so many pages in one transaction; return how many.

    A file of before this was possible keeps its size; what is free in it is used again.
    """
    if engine.dialect.name != "sqlite":
        return 0
    given = 0
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() != _INCREMENTAL:
            return 0
        free = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar() or 0)
        while free:
            # By the driver: a page is freed for each row that is fetched, and SQLAlchemy sees no columns to fetch.
            connection.connection.cursor().execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
            left = int(connection.exec_driver_sql("PRAGMA freelist_count").scalar() or 0)
            if left >= free:
                break
            given, free = given + free - left, left
    return given


_INCREMENTAL = 2  # what PRAGMA auto_vacuum says of it

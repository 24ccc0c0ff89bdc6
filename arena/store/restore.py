"""The way back from a backup: checked first, never over a database that is in use, nothing lost on the way."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL, create_engine, make_url

from arena.errors import ConflictError, NotFoundError, StoreError
from arena.store.backup import copy_archive, copy_database, give_name
from arena.store.database import known_revisions
from arena.store.lease import Lease
from arena.store.moved import folder_beside

_MODE = 0o600
_BESIDE = ("", "-wal", "-shm", "-journal")  # what belongs to a SQLite file


class Restored(NamedTuple):
    """What was brought back; `before` are the files of the database that was there, under their new names."""

    path: Path
    season: int
    tick: int
    archives: int
    before: list[Path]


def pg_restore_words(url: str, copy: Path) -> str:
    """Return the sentence that says how a PostgreSQL database is restored, without its password."""
    shown = make_url(url).set(drivername="postgresql", database="arena_restored")
    return (
        "A PostgreSQL database is restored by its own tools, with the server stopped: createdb arena_restored, then "
        f"pg_restore --no-owner --dbname='{shown.render_as_string(hide_password=True)}' {copy}, then DATABASE_URL with "
        "that name (docs/operate/backup.md)."
    )


def restore(copy: Path, target: Path, *, replace: bool = False) -> Restored:
    """Bring a backup back to the place of a database, with its archive.

    ConflictError where a database is there already, unless `replace`: it is then kept under another name. StoreError
    where a server is using it, or where the backup is no whole database of an arena as old as this one.
    """
    if not copy.is_file():
        raise NotFoundError(f"There is no file {copy}.")
    if target.exists() and copy.samefile(target):
        raise ConflictError(f"{copy} is the database itself: name a backup of it.")
    if not target.parent.is_dir():
        raise StoreError(f"There is no folder {target.parent} to restore into.")
    there = _there(target)
    if there and not replace:
        raise ConflictError(f"{there[0]} is there already: --replace keeps it under another name and restores.")
    lease = Lease(create_engine(URL.create("sqlite", database=str(target))))
    try:
        return _restored(copy, target, there)
    except sqlite3.Error as error:
        raise StoreError(f"{copy} cannot be restored: {error}.") from error
    finally:
        lease.release()


def _there(target: Path) -> list[Path]:
    paths = [*(target.with_name(f"{target.name}{end}") for end in _BESIDE), folder_beside(target)]
    return [path for path in paths if path.exists() or path.is_symlink()]


def _restored(copy: Path, target: Path, there: list[Path]) -> Restored:
    part = target.with_name(f"{target.name}.part")
    making = folder_beside(target).with_name(f"{folder_beside(target).name}.part")
    # Left by a restore that was cut off.
    shutil.rmtree(making, ignore_errors=True)
    try:
        rows = copy_database(copy, part, _MODE, writable=False)
        season, tick = _facts(part)
        source = create_engine(URL.create("sqlite", database=str(copy.absolute())))
        copy_archive(source, rows, making)
        # From here on it can only succeed, or leave the old one under its new name.
        before = _put_aside(there)
        if rows:
            making.rename(folder_beside(target))
        give_name(part, target)
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(making, ignore_errors=True)
    return Restored(target, season, tick, len(rows), before)


def _facts(part: Path) -> tuple[int, int]:
    """Return the newest season and its last tick; StoreError where this is no database of an arena that we know."""
    with contextlib.closing(sqlite3.connect(part)) as database:
        try:
            (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
            found = database.execute("SELECT id, number FROM seasons ORDER BY number DESC LIMIT 1").fetchone()
            id_, number = found or (None, 0)
            (last,) = database.execute("SELECT max(n) FROM ticks WHERE season_id = ?", (id_,)).fetchone()
        except (sqlite3.OperationalError, TypeError):
            raise StoreError("The file is no database of an arena.") from None
    if revision not in known_revisions():
        raise StoreError(
            f"The backup was made by a newer arena (its schema is {revision}): install that version first."
        )
    return number, -1 if last is None else last


def _put_aside(there: list[Path]) -> list[Path]:
    """Give the files of the database that is there other names, which say when."""
    when = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    moved = []
    for path in there:
        aside = path.with_name(f"{path.name}.before-{when}")
        if aside.exists():
            raise ConflictError(f"{aside} is there already: try again in a second.")
        moved.append(path.rename(aside))
    return moved

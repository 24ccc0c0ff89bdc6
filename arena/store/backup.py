"""A copy of a database that is in use: consistent as of one moment, with the Parquet files that belong to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, make_url

from arena.errors import ConflictError, StoreError
from arena.store.moved import archive_folder, find_part, folder_beside

_BUSY_SECONDS = 30.0


class Backup(NamedTuple):
    """What was written."""

    path: Path
    size: int
    archives: int


def pg_dump_words(url: str, out: Path) -> str:
    """Return the sentence that says how a PostgreSQL database is backed up, without its password."""
    shown = make_url(url).set(drivername="postgresql").render_as_string(hide_password=True)
    return (
        "A PostgreSQL database is backed up by its own tool, while the server runs: "
        f"pg_dump --format=custom --file={out} '{shown}'. pg_restore brings it back (docs/operate/backup.md)."
    )


def back_up(database: Engine, out: Path) -> Backup:
    """Copy a SQLite database to a file that is not there yet, and its archive to the folder beside that file.

    A folder takes a file of the database's own name. The server may write meanwhile: the copy is of one moment.
    StoreError if it cannot be made or is no whole database.
    """
    if database.dialect.name != "sqlite" or database.url.database in {None, "", ":memory:"}:
        raise StoreError("Only a database in a file can be copied.")
    source = Path(str(database.url.database))
    out = out / source.name if out.is_dir() else out
    if out.exists():
        raise ConflictError(f"{out} is there already: name a file that is not, so that no older backup is lost.")
    if not out.parent.is_dir():
        raise StoreError(f"There is no folder {out.parent} to write the backup into.")
    part = out.with_name(f"{out.name}.part")
    part.unlink(missing_ok=True)
    try:
        rows = _copy(source, part)
        _copy_archive(database, rows, folder_beside(out))
        part.replace(out)
    except sqlite3.Error as error:
        raise StoreError(f"The backup cannot be made: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
    _to_disk(out.parent)
    return Backup(out, out.stat().st_size, len(rows))


def _copy(source: Path, part: Path) -> list[dict[str, Any]]:
    """Copy a database; return the files that rows of the copy were moved to."""
    address = f"{source.absolute().as_uri()}?mode=rw"
    with (
        contextlib.closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as running,
        contextlib.closing(sqlite3.connect(part)) as copy,
    ):
        part.chmod(source.stat().st_mode & 0o777)
        # All pages in one step: it reads one moment, and a server that writes a tick meanwhile waits for nothing.
        running.backup(copy, pages=-1)
        # One file, without a log beside it that somebody would have to copy as well.
        copy.execute("PRAGMA journal_mode=DELETE")
        found = copy.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise StoreError(f"The copy is no whole database ({found}): check the disk and the database itself.")
        # A database of an older version has no such files; it is backed up before it is brought up to date.
        known = copy.execute("SELECT name FROM sqlite_master WHERE name = 'archive_parts'").fetchone()
        rows = copy.execute("SELECT file, folder FROM archive_parts").fetchall() if known else []
    _to_disk(part)
    return [{"file": file, "folder": folder} for file, folder in rows]


def _copy_archive(database: Engine, rows: list[dict[str, Any]], folder: Path) -> None:
    """Copy files that are never changed once they are written."""
    if rows and folder == archive_folder(database):
        raise ConflictError(
            f"The archive of this backup would be {folder}, which is the database's own: give the backup another name."
        )
    for row in rows:
        target = folder / row["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(find_part(database, row), target)
        _to_disk(target)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

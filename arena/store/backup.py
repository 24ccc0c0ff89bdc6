"""A copy of a database that is in use: consistent as of one moment, with the Parquet files that belong to it.

The way back is in `restore`.
"""

from __future__ import annotations

import contextlib
import hashlib
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
    try:
        rows = copy_database(source, part, source.stat().st_mode & 0o777)
        if rows and folder_beside(out) == archive_folder(database):
            raise ConflictError(
                f"The archive of this backup would be {folder_beside(out)}, which is the database's own: give the "
                "backup another name."
            )
        copy_archive(database, rows, folder_beside(out))
        give_name(part, out)
    except sqlite3.Error as error:
        raise StoreError(f"The backup cannot be made: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
    return Backup(out, out.stat().st_size, len(rows))


def copy_database(source: Path, part: Path, mode: int, *, writable: bool = True) -> list[dict[str, Any]]:
    """Copy a database to a file that only this makes, with these permissions; return where rows were moved to.

    Not `writable`: nothing is written beside the source, not even the log of one that is in use.
    """
    part.unlink(missing_ok=True)
    # Nobody else can have put a link there meanwhile, or read the copy before it has its permissions.
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, mode))
    address = f"{source.absolute().as_uri()}?mode={'rw' if writable else 'ro'}"
    with (
        contextlib.closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as running,
        contextlib.closing(sqlite3.connect(part)) as copy,
    ):
        part.chmod(mode)
        # All pages in one step: it reads one moment, and a server that writes a tick meanwhile waits for nothing.
        running.backup(copy, pages=-1)
        # One file, without a log beside it that somebody would have to copy as well.
        copy.execute("PRAGMA journal_mode=DELETE")
        found = copy.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise StoreError(f"The copy is no whole database ({found}): check the disk and the database itself.")
        # A database of an older version has no such files; it is backed up before it is brought up to date.
        known = copy.execute("SELECT name FROM sqlite_master WHERE name = 'archive_parts'").fetchone()
        rows = copy.execute("SELECT file, folder, sha256 FROM archive_parts").fetchall() if known else []
    to_disk(part)
    return [{"file": file, "folder": folder, "sha256": sha256} for file, folder, sha256 in rows]


def copy_archive(database: Engine, rows: list[dict[str, Any]], folder: Path) -> None:
    """Copy the files of a database's archive, each checked by its hash; one of other content is never overwritten."""
    for row in rows:
        name = Path(str(row["file"]))
        if name.is_absolute() or ".." in name.parts:
            raise StoreError(f"The database names an archive file outside of its folder: {name}.")
        target = folder / name
        if target.exists() and hash_of_file(target) != row["sha256"]:
            raise ConflictError(f"{target} is there already, with other content: move the folder {folder} away first.")
        if not target.exists():
            _copy_part(find_part(database, row), target, row["sha256"])


def _copy_part(source: Path, target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        shutil.copyfile(source, part)
        if hash_of_file(part) != sha256:
            raise StoreError(f"The archive file {source} is not what was written, its SHA-256 differs.")
        to_disk(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def hash_of_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def give_name(part: Path, out: Path) -> None:
    """Give a finished file its name; ConflictError where something has got that name meanwhile."""
    try:
        os.link(part, out)
    except FileExistsError:
        raise ConflictError(f"{out} is there already: name a file that is not.") from None
    except OSError:
        # A file system without hard links.
        part.replace(out)
    part.unlink(missing_ok=True)
    to_disk(out.parent)


def to_disk(path: Path) -> None:
    """Have a file or a folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

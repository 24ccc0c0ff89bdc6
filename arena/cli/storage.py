"""`arena season archive` and `arena season export`, a season's rows as files, and `arena db backup` and `restore`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from arena import config
from arena.cli.output import complain, console, errors, plural
from arena.errors import NotFoundError, StoreError

Number = Annotated[int, typer.Argument(min=1, help="Number of the season.")]
Db = Annotated[str, typer.Option(help="SQLite file; else the configured database.")]


class Format(StrEnum):
    """How a table is written."""

    PARQUET = "parquet"
    CSV = "csv"


class Table(StrEnum):
    """The tables of a season that can be written."""

    TRADES = "trades"
    EQUITY = "equity"
    ORDERS = "orders"
    TICKS = "ticks"
    BOT_TICKS = "bot_ticks"
    LOGS = "logs"


def archive(number: Number, db: Db = "") -> None:
    """Move equity and ticks of a closed season to Parquet files; the server may run meanwhile."""
    from arena.store.moved import archive_folder, parts
    from arena.store.queries import season_by_number
    from arena.store.season_archive import archive_season, give_back
    from arena.store.season_export import count_rows

    database = _open(db)
    season = season_by_number(database, number)
    there = sum(row["rows"] for kind in ("equity", "ticks") for row in parts(database, season["id"], kind))
    total = sum(count_rows(database, season["id"], kind) for kind in ("equity", "ticks")) - there
    with _bar(f"season {number}", total) as advance:
        moved = archive_season(database, number, lambda _kind, rows: advance(rows))
    give_back(database)
    database.dispose()
    console.print(
        f"{plural(moved, 'row')} of season {number} moved to {archive_folder(database)}", markup=False, soft_wrap=True
    )


def export(
    number: Number,
    out: Annotated[Path, typer.Option(help="Folder to write the files into.", show_default=False)],
    kind: Annotated[Format, typer.Option("--format", help="Parquet or CSV.")] = Format.PARQUET,
    table: Annotated[list[Table] | None, typer.Option(help="A table; all if not given.")] = None,
    db: Db = "",
) -> None:
    """Write a whole season's tables, what was archived included, to one Parquet or CSV file a table."""
    from arena.store.queries import season_by_number
    from arena.store.season_export import count_rows, export_table

    database = _open(db)
    season = season_by_number(database, number)
    out.mkdir(parents=True, exist_ok=True)
    for name in table or list(Table):
        path = out / f"{name}.{kind}"
        with _bar(str(name), count_rows(database, season["id"], name)) as advance:
            rows = export_table(database, season["id"], name, path, kind.value, advance)
        console.print(f"{path}: {plural(rows, 'row')}", markup=False, soft_wrap=True)
    database.dispose()


def backup(
    out: Annotated[Path, typer.Argument(help="File to write, or a folder.", show_default=False)], db: Db = ""
) -> None:
    """Copy the database to a file while the server runs, with the archive that belongs to it."""
    from arena.store.backup import back_up, pg_dump_words

    settings = _settings(db)
    if settings.database_url:
        raise StoreError(pg_dump_words(settings.url, out))
    database = _open(db)
    with errors.status("The database is being copied."):
        made = back_up(database, out)
    database.dispose()
    more = f" and {plural(made.archives, 'archive file')}" if made.archives else ""
    console.print(f"{made.path}: {made.size:,} bytes{more}", markup=False, soft_wrap=True)
    complain(
        f"The key {settings.key_file} is no part of it: keep a copy of that elsewhere, where nobody else reads it."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `arena db backup` has written.", show_default=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Keep a database that is there under another name, and restore.")
    ] = False,
    db: Db = "",
) -> None:
    """Bring a backup back, checked first, with the server stopped; the season goes on when it starts."""
    from arena.store.restore import pg_restore_words, restore

    settings = _settings(db)
    if settings.database_url:
        raise StoreError(pg_restore_words(settings.url, file))
    with errors.status("The backup is being checked and copied."):
        done = restore(file, Path(settings.db_path), replace=replace)
    for path in done.before:
        complain(f"What was there is kept as {path}.")
    more = f", with {plural(done.archives, 'archive file')}" if done.archives else ""
    where = f"season {done.season}, " + (f"up to tick {done.tick:,}" if done.tick >= 0 else "no tick yet")
    console.print(f"{done.path}: {where}{more}", markup=False, soft_wrap=True)
    complain(
        f"The key {settings.key_file} is no part of a backup: with the old one in place receipts keep their signature."
    )


def _settings(db: str) -> config.Settings:
    """Return the settings; a file that is named goes before DATABASE_URL."""
    return config.load(db_path=db, database_url="") if db else config.load()


def _open(db: str) -> Any:
    from arena.store.database import open_database

    settings = _settings(db)
    if not settings.database_url and not Path(settings.db_path).is_file():
        raise NotFoundError(f"There is no database {settings.db_path}; name one by --db or DB_PATH.")
    return open_database(settings.url)


@contextlib.contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many rows are done, where a person watches."""
    if not errors.is_terminal:
        yield lambda _rows: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(name, total=total)
        yield lambda rows: progress.advance(task, rows)

"""Opening the database: SQLite with write-ahead log by default, PostgreSQL by URL, and migrations."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from arena.errors import StoreError
from arena.store import packed  # it says how the views are written
from arena.store.json_text import from_json, to_json
from arena.store.rollups import fill_missing

_MIGRATIONS = Path(__file__).parent / "migrations"


assert packed


def open_database(url: str) -> Engine:
    """Return an engine for the URL; StoreError says why it cannot be used."""
    try:
        address = make_url(url)
        _make_private(address)
        engine = _engine(address)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(f"The database cannot be opened: {error}") from error
    return engine


def _make_private(url: URL) -> None:
    """Make a new SQLite file its owner's alone: it holds secrets of webhooks, and seeds."""
    if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"} and "uri" not in url.query:
        with contextlib.suppress(OSError):
            os.close(os.open(str(url.database), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def own_connections(database: Engine) -> Engine:
    """Return an engine for the same database whose connections nobody else can use up.

    A SQLite database in memory is one connection's own, so there it is the same engine.
    """
    url = database.url
    if database.dialect.name == "sqlite" and url.database in {None, "", ":memory:"}:
        return database
    return _engine(url)


def _engine(url: URL) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(
        url, pool_pre_ping=not sqlite, json_serializer=to_json, json_deserializer=from_json,
        # What a statement carries, seeds among it, has no place in the text of an error.
        hide_parameters=True,
    )  # fmt: skip
    if sqlite:
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        # Counts in a new file only, and there before anything is written: what retention frees can be given back.
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=10000",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def wait_turn(connection: Connection, what: str) -> None:
    """Let one transaction at a time, of all servers, count or number `what`; call it before anything else in one.

    Where each looked first and wrote afterwards, several would find the same number.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    key = int.from_bytes(hashlib.sha256(f"arena {what}".encode()).digest()[:8], signed=True)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def known_revisions() -> set[str]:
    """Return the revisions of the schema that this version knows."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest migration, and make the roll-ups that are missing."""
    try:
        if not _is_newest(engine):
            _migrate(engine)
        fill_missing(engine)
    except SQLAlchemyError as error:
        raise StoreError(f"The database cannot be brought up to date: {error}") from error


def _is_newest(engine: Engine) -> bool:
    """Tell whether nothing is to be migrated, without alembic, which takes a tenth of a second to import."""
    newest = max(path.stem.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
    # A table that is not there yet is an error, and ends its transaction.
    with contextlib.suppress(SQLAlchemyError), engine.connect() as connection:
        return [*connection.execute(text("SELECT version_num FROM alembic_version")).scalars()] == [newest]
    return False


def _migrate(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

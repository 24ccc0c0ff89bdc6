"""The tables: what migrations make is what the models say, on both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine as Database
from sqlalchemy import inspect, text
from sqlmodel import SQLModel

from arena.errors import StoreError
from arena.store.database import _is_newest, known_revisions, open_database, upgrade

TRADES = ["id", "time", "bot_name", "symbol", "side", "size", "price", "cash_after", "position_after"]
EQUITY = ["id", "time", "bot_name", "equity", "realized_pnl", "unrealized_pnl"]


@pytest.fixture
def fresh(empty_url: str) -> Iterator[Database]:
    """A database that was empty and has been brought up to date."""
    engine = open_database(empty_url)
    upgrade(engine)
    yield engine
    engine.dispose()


def test_migrations_from_empty_make_exactly_the_models(fresh: Database) -> None:
    with fresh.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_an_upgrade_twice_changes_nothing(fresh: Database) -> None:
    before = {name: inspect(fresh).get_columns(name) for name in inspect(fresh).get_table_names()}
    upgrade(fresh)
    after = {name: inspect(fresh).get_columns(name) for name in inspect(fresh).get_table_names()}
    assert repr(before) == repr(after)
    with fresh.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1


def test_a_new_schema_is_known_without_alembic_and_an_old_one_is_migrated(fresh: Database) -> None:
    assert _is_newest(fresh)
    with fresh.begin() as connection:
        assert [*connection.execute(text("SELECT version_num FROM alembic_version")).scalars()] == [
            max(known_revisions())
        ]
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert not _is_newest(fresh)
    with pytest.raises(StoreError, match="cannot be brought up to date"):  # what the next one makes is there already
        upgrade(fresh)


@pytest.mark.parametrize(("table", "columns"), [("trades", TRADES), ("equity", EQUITY)])
def test_the_columns_of_the_guide_come_first_and_in_its_order(
    database: Database, table: str, columns: list[str]
) -> None:
    found = [column["name"] for column in inspect(database).get_columns(table)]
    assert found[: len(columns)] == columns


def test_sqlite_counts_rows_in_a_column_declared_integer(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    upgrade(engine)
    engine.dispose()
    connection = sqlite3.connect(tmp_path / "lab.db")
    for table in ("trades", "equity_rows", "orders", "logs", "bot_ticks"):
        (row,) = [row for row in connection.execute(f"PRAGMA table_info({table})") if row[1] == "id"]
        assert (row[2], row[5]) == ("INTEGER", 1)
    connection.close()


def test_every_row_of_play_carries_its_season(database: Database) -> None:
    for table in ("trades", "equity", "orders", "ticks", "bot_ticks", "standings", "logs", "entries"):
        assert "season_id" in {column["name"] for column in inspect(database).get_columns(table)}


def test_sqlite_is_set_up_to_be_read_while_it_is_written(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() > 1000
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all/lab.db", "nonsense", "unknown://x",
        "postgresql+psycopg://nobody@127.0.0.1:1/x?connect_timeout=2",
    ],
)  # fmt: skip
def test_a_database_that_cannot_be_opened_is_an_error_in_words(url: str) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        open_database(url)


def test_a_file_that_is_no_database_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"
    path.write_bytes(b"this is a shopping list, not a database" * 100)
    with pytest.raises(StoreError):
        upgrade(open_database(f"sqlite:///{path}"))


def test_a_url_never_shows_its_password(postgres_url) -> None:
    del postgres_url
    with pytest.raises(StoreError) as caught:
        open_database("postgresql+psycopg://user:secret-word@127.0.0.1:1/x?connect_timeout=2")
    assert "secret-word" not in str(caught.value)

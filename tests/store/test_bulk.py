"""Bulk writes say exactly what row-by-row writes say, on both databases."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import SQLModel

from arena.core.scoring import Score
from arena.store.bulk import COPY_FROM, insert_rows, table_of, update_rows, upsert_rows
from arena.store.database import open_database
from arena.store.models import Entry, OrderRow, Standing, Tick, Trade
from arena.store.recorder import Recorder, TickWrites
from arena.store.recovered import recover
from arena.store.seasons import resume_or_open
from tests.store.conftest import PLAN, Books
from tests.store.test_recorder import standing

Row = dict[str, Any]

AWKWARD = (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -1e-300, 1e22, 123456789.123456789)
WORDS = ("plain", "", "tab\tand\nline", "quote\"'\\N", "\N{SNOWMAN}\N{ROCKET}", "%s ? :x $1", "NULL")
MANY = 3 * COPY_FROM


def trades(count: int) -> list[Row]:
    return [
        {
            "id": n + 1, "time": 1e9 + n / 3, "bot_name": WORDS[n % len(WORDS)], "symbol": "BTCUSDT", "side": "BUY",
            "size": AWKWARD[n % len(AWKWARD)], "price": 1, "cash_after": -n / 7, "position_after": n / 9, "fee": 0.0,
            "realized_pnl": n / 11, "season_id": "s", "bot_id": "b", "tick": n + 2**40,
            "order_id": None if n % 2 else n,
        }
        for n in range(count)
    ]  # fmt: skip


def read(database: Database, model: type[SQLModel]) -> list[Row]:
    table = table_of(model)
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]


@pytest.mark.parametrize("count", [1, COPY_FROM - 1, COPY_FROM, MANY])
def test_inserted_rows_come_back_bit_for_bit(database: Database, count: int) -> None:
    rows = trades(count)
    with database.begin() as connection:
        insert_rows(connection, Trade, rows)
    assert read(database, Trade) == rows


@pytest.mark.parametrize("count", [1, MANY])
def test_what_rows_lack_the_database_fills_in(database: Database, count: int) -> None:
    rows = [{name: value for name, value in row.items() if name != "id"} for row in trades(count)]
    with database.begin() as connection:
        insert_rows(connection, Trade, rows)
    found = read(database, Trade)
    assert [row["id"] for row in found] == list(range(1, count + 1))
    assert [row["tick"] for row in found] == [row["tick"] for row in rows]


@pytest.mark.parametrize("count", [2, MANY])
def test_json_columns_are_those_of_the_session(books: Books, count: int) -> None:
    rows: list[Row] = [
        {
            "season_id": books.season.id, "n": n, "time": float(n), "prices": dict.fromkeys(WORDS, 1 / 3),
            "conditions": {"barred": {"X": "it's \"shut\""}} if n % 2 else None,
        }
        for n in range(count)
    ]  # fmt: skip
    with books.database.begin() as connection:
        insert_rows(connection, Tick, rows)
    with books.database.begin() as connection:
        insert_rows(connection, Tick, [{**rows[0], "n": count}])
    found = read(books.database, Tick)
    assert found[:count] == rows
    assert {**found[count], "n": 0} == rows[0]
    with books.database.connect() as connection:
        table = table_of(Tick)
        empty = select(table.c.n).where(table.c.conditions.is_(None)).order_by(table.c.n)
        assert [n for (n,) in connection.execute(empty)] == [*range(0, count, 2), count]


@pytest.mark.parametrize("count", [2, MANY])
def test_a_row_that_fails_fails_all_with_an_error_of_sqlalchemy(database: Database, count: int) -> None:
    rows = trades(count)
    rows[-1] = {**rows[-1], "symbol": None}
    with pytest.raises(IntegrityError), database.begin() as connection:
        insert_rows(connection, Trade, rows)
    rows[-1] = {**rows[-1], "symbol": "X", "id": 1}
    with pytest.raises(IntegrityError), database.begin() as connection:
        insert_rows(connection, Trade, rows)
    assert read(database, Trade) == []


@pytest.mark.parametrize("count", [1, MANY])
def test_updates_change_their_rows_only(database: Database, count: int) -> None:
    given = [
        {
            "id": n, "time": 1.0, "bot_name": "A", "symbol": "X", "side": "BUY", "size": None, "status": "pending",
            "reason": None, "fill_time": None, "fill_price": None, "fill_size": None, "season_id": "s", "bot_id": "b",
            "tick": 0,
        }
        for n in range(1, count + 2)
    ]  # fmt: skip
    ends = [
        {
            "id": n, "status": "filled", "reason": WORDS[n % len(WORDS)] if n % 3 else None,
            "fill_price": AWKWARD[n % len(AWKWARD)],
        }
        for n in range(1, count + 1)
    ]  # fmt: skip
    with database.begin() as connection:
        insert_rows(connection, OrderRow, given)
        update_rows(connection, OrderRow, ("id",), ends)
    expected = [{**row, **end} for row, end in zip(given, ends, strict=False)]
    assert read(database, OrderRow) == [*expected, given[-1]]


def test_rows_are_put_in_or_brought_up_to_date(books: Books) -> None:
    bots = [books.admit(f"Bot {n}", str(n)) for n in range(4)]
    keys = ("season_id", "bot_id")
    first = [standing(books, bot.id, 0, AWKWARD[0]) for bot in bots[:2]]
    second = [
        {**standing(books, bot.id, 10, AWKWARD[place]), "positions": {WORDS[5]: AWKWARD[2]}, "sharpe": None}
        for place, bot in enumerate(bots[1:])
    ]
    with books.database.begin() as connection:
        upsert_rows(connection, Standing, keys, first)
        upsert_rows(connection, Standing, keys, second)
    found = {row["bot_id"]: row for row in read(books.database, Standing)}
    assert found == {row["bot_id"]: row for row in [first[0], *second]}


def test_nothing_is_nothing_to_do(database: Database) -> None:
    with database.begin() as connection:
        insert_rows(connection, Trade, [])
        update_rows(connection, Trade, ("id",), [])
        upsert_rows(connection, Trade, ("id",), [])
    assert read(database, Trade) == []


def test_a_standing_of_an_unknown_bot_is_refused(books: Books) -> None:
    with pytest.raises(SQLAlchemyError):
        Recorder(books.database).record(TickWrites(standings=[standing(books, "nobody", 0, 1.0)]))


def test_a_score_that_has_seen_no_tick_is_stored_and_read_back(books: Books) -> None:
    """JSON has no infinity, and PostgreSQL takes nothing for it."""
    bot = books.admit("A")
    fresh = Score(1e4)
    row = {**standing(books, bot.id, 0, 1e4), "score": dataclasses.asdict(fresh)}
    Recorder(books.database).record(TickWrites(standings=[row]))
    stored = recover(books.database, books.season.id).standings[bot.id].score
    assert Score(**stored) == fresh


def test_half_a_surrogate_pair_in_a_json_column_is_kept(tmp_path: Path, migrated_sqlite: Path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "lab.db")
    database = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    season, _ = resume_or_open(database, PLAN, runtime={})
    with database.begin() as connection:
        insert_rows(connection, Tick, [{"season_id": season.id, "n": 0, "time": 0.0, "prices": {"\ud800": 1.0}}])
    assert read(database, Tick)[0]["prices"] == {"\ud800": 1.0}
    database.dispose()


@pytest.mark.system
def test_many_entries_are_updated_at_once(books: Books) -> None:
    bots = [books.admit(f"Bot {n}", str(n)) for n in range(3)]
    rows = [
        {"season_id": books.season.id, "bot_id": bot.id, "errors": n, "last_error": WORDS[n + 2]}
        for n, bot in enumerate(bots)
    ]
    Recorder(books.database).record(TickWrites(entries=rows))
    found = {row["bot_id"]: row for row in read(books.database, Entry)}
    assert [(found[bot.id]["errors"], found[bot.id]["last_error"]) for bot in bots] == [
        (n, WORDS[n + 2]) for n in range(3)
    ]


def test_the_ring_of_many_logs_is_measured_in_one_go(books: Books) -> None:
    bots = [books.admit(f"Bot {n}", str(n)) for n in range(3)]
    recorder = Recorder(books.database)
    rows = [
        {
            "season_id": books.season.id, "bot_id": bot.id, "tick": 0, "time": 0.0, "level": "INFO",
            "message": "\N{SNOWMAN}" * (place + 1),
        }
        for place, bot in enumerate(bots) for _ in range(2)
    ]  # fmt: skip
    for count in (2, 4):
        recorder.record(TickWrites(logs=rows))
        sizes = [recorder._log_bytes[books.season.id, bot.id] for bot in bots]
        assert sizes == [count * (3 * (place + 1) + 32) for place in range(3)]

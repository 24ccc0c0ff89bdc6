"""Ticks and equity are small on disk and read as the guide's tables; old databases are taken over to the last digit."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine as Database
from sqlalchemy import event, select, text
from sqlalchemy.exc import SQLAlchemyError

from arena.store import queries
from arena.store.bulk import insert_rows, table_of
from arena.store.database import open_database, upgrade
from arena.store.models import EquityRollup, EquityRow, Tick
from arena.store.moved import tick_batches
from arena.store.recorder import Recorder, TickWrites
from arena.store.rollups import fill_missing
from tests.store.conftest import Books

Row = dict[str, Any]
MIGRATIONS = Path(queries.__file__).parent / "migrations"


def migrate(engine: Database, revision: str, *, down: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


OLD_TICKS = [
    ("s1", 0, 100.0, '{"BTCUSDT":69234.1}', None),
    ("s1", 1, 101.0, '{"BTCUSDT":0.1000000000000000055511151231257827,"a \\"b\\"":1e-300}', '{"barred":{"X":"shut"}}'),
    ("s1", 2, 102.0, '{"BTCUSDT":123456789.12345679,"a \\"b\\"":5e-324}', None),
    ("s2", 0, 7.5, "{}", None),
]
OLD_EQUITY = [
    (3, 100.0, "A", 10000.000000000002, 0.1, -0.2, 3.3, "s1", "a", 0),
    (4, 100.0, "B \N{SNOWMAN}", 1e4, 0.0, 0.0, 1e4, "s1", "b", 0),
    (7, 161.0, "A", 9000.0, 1 / 3, 0.0, 1.0, "s1", "a", 10),
    (8, 170.0, "A", 9500.0, 1 / 7, 2.0, 1.5, "s1", "a", 20),
    (9, 7.5, "A v2", 1.0, 0.0, 0.0, 1.0, "s2", "a", 0),
]


@pytest.fixture
def old(empty_url: str) -> Database:
    """A database of before, with two seasons."""
    engine = open_database(empty_url)
    migrate(engine, "0008")
    as_json = "CAST(:{} AS JSON)" if engine.dialect.name == "postgresql" else ":{}"
    with engine.begin() as connection:
        for number in (1, 2):
            connection.execute(text(
                "INSERT INTO seasons (id, number, key, status, feed, feed_note, symbols, interval, starting_cash,"
                " fee_bps, slippage_bps, rules_version, isolation, runtime, opened_at) VALUES"
                f" ('s{number}', {number}, 'k', 'closed', 'synthetic', '', '[]', 1.0, 1e4, 0, 0, 1, 'A', '{{}}', 0)"
            ))  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO ticks (season_id, n, time, prices, conditions) VALUES"
                f" (:s, :n, :t, {as_json.format('p')}, {as_json.format('c')})"
            ),
            [dict(zip("sntpc", row, strict=True)) for row in OLD_TICKS],
        )
        connection.execute(
            text(
                "INSERT INTO equity (id, time, bot_name, equity, realized_pnl, unrealized_pnl, cash, season_id, bot_id,"
                " tick) VALUES (:a, :b, :c, :d, :e, :f, :g, :h, :i, :j)"
            ),
            [dict(zip("abcdefghij", row, strict=True)) for row in OLD_EQUITY],
        )
    return engine


def everything(engine: Database, table: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]


def test_an_old_database_reads_as_before_after_the_upgrade_and_back(old: Database) -> None:
    before = {model: rows_of(old, model) for model in (Tick, EquityRow)}
    upgrade(old)
    assert everything(old, "equity") == OLD_EQUITY
    for model, rows in before.items():
        assert rows_of(old, model) == rows
    assert [(r["entry"], r["seconds"], r["start"], r["open"], r["high"], r["low"], r["close"], r["rows"])
            for r in rows_of(old, EquityRollup)] == [
        (1, 60, 60, 10000.000000000002, 10000.000000000002, 10000.000000000002, 10000.000000000002, 1),
        (1, 60, 120, 9000.0, 9500.0, 9000.0, 9500.0, 2),
        (1, 3600, 0, 10000.000000000002, 10000.000000000002, 9000.0, 9500.0, 3),
        (2, 60, 60, 1e4, 1e4, 1e4, 1e4, 1), (2, 3600, 0, 1e4, 1e4, 1e4, 1e4, 1),
        (3, 60, 0, 1.0, 1.0, 1.0, 1.0, 1), (3, 3600, 0, 1.0, 1.0, 1.0, 1.0, 1),
    ]  # fmt: skip
    with old.begin() as connection:
        insert_rows(connection, EquityRow, [{
            "time": 8.0, "bot_name": "A v2", "equity": 2.0, "realized_pnl": 0.0, "unrealized_pnl": 0.0, "cash": 2.0,
            "season_id": "s2", "bot_id": "a", "tick": 10,
        }])  # fmt: skip
    assert [row[0] for row in everything(old, "equity")] == [3, 4, 7, 8, 9, 10]
    migrate(old, "0008", down=True)
    assert everything(old, "equity")[:5] == OLD_EQUITY
    assert rows_of(old, Tick) == before[Tick]
    upgrade(old)
    assert rows_of(old, Tick) == before[Tick]
    old.dispose()


def rows_of(engine: Database, model: Any) -> list[Row]:
    table = table_of(model)
    keys = [table.c[name] for name in ("entry", "seconds", "start", "season_id", "n", "id") if name in table.c]
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table).order_by(*keys)).mappings()]


def equity(books: Books, bot_id: str, tick: int, value: float) -> Row:
    return {
        "time": 1e9 + tick, "bot_name": f"Bot {bot_id}", "equity": value, "realized_pnl": value / 3,
        "unrealized_pnl": 0.0, "cash": value, "season_id": books.season.id, "bot_id": bot_id, "tick": tick,
    }  # fmt: skip


def tick(books: Books, n: int, prices: dict[str, float]) -> Row:
    return {"season_id": books.season.id, "n": n, "time": 1e9 + n, "prices": prices, "conditions": None}


def test_rows_read_back_to_the_last_bit_in_the_order_they_went_in(books: Books) -> None:
    recorder = Recorder(books.database)
    kinds = ({"B": 1 / 3, "A": 5e-324}, {"A": 1e22, "B": 0.1}, {"A": 1.7976931348623157e308})
    ticks = [tick(books, n, kinds[n % 3]) for n in range(7)]
    for n, each in enumerate(ticks):
        recorder.record(TickWrites(tick=each, equity=[equity(books, bot, n, n / 7) for bot in ("z", "y", "x")]))
    found = rows_of(books.database, Tick)
    assert found == ticks
    assert [list(row["prices"]) for row in found] == [list(row["prices"]) for row in ticks]
    # In the order of the guide's snippet: no ORDER BY.
    assert [(row[2], row[9], row[3]) for row in everything(books.database, "equity")] == [
        (f"Bot {bot}", n, n / 7) for n in range(7) for bot in ("z", "y", "x")
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_last_ticks_cost_the_same_however_many_there_are(books: Books) -> None:
    database, recorder, asked = books.database, Recorder(books.database), 0

    def count() -> int:
        nonlocal asked
        asked += 1
        return 0

    @event.listens_for(database, "connect")
    def listen(connection: Any, _: object) -> None:
        connection.set_progress_handler(count, 100)

    costs = []
    for begin, end in ((0, 100), (100, 5000)):
        recorder.record(*(TickWrites(tick=tick(books, n, {"A": 1.0})) for n in range(begin, end)))
        database.dispose()
        asked = 0
        (found,) = tick_batches(database, books.season.id, end - 3)
        assert [row["n"] for row in found] == [end - 3, end - 2, end - 1]
        costs.append(asked)
    assert costs[1] < 2 * costs[0] + 5, costs


def test_a_transaction_that_fails_takes_its_numbers_with_it(books: Books) -> None:
    recorder = Recorder(books.database)
    recorder.record(TickWrites(tick=tick(books, 0, {"A": 1.0}), equity=[equity(books, "x", 0, 1.0)]))
    broken = [equity(books, "y", 10, 2.0), {**equity(books, "z", 10, 2.0), "equity": None}]
    with pytest.raises((SQLAlchemyError, TypeError)):
        recorder.record(TickWrites(tick=tick(books, 10, {"B": 1.0}), equity=broken))
    recorder.record(TickWrites(tick=tick(books, 10, {"C": 1.0}), equity=[equity(books, "z", 10, 3.0)]))
    recorder.record(TickWrites(tick=tick(books, 11, {"B": 2.0}), equity=[equity(books, "y", 11, 4.0)]))
    assert [row["prices"] for row in rows_of(books.database, Tick)] == [{"A": 1.0}, {"C": 1.0}, {"B": 2.0}]
    assert [(row[2], row[3]) for row in everything(books.database, "equity")] == [
        ("Bot x", 1.0), ("Bot z", 3.0), ("Bot y", 4.0),
    ]  # fmt: skip


def test_a_bot_tick_and_a_tick_take_less_than_half_the_bytes_of_before(tmp_path: Path, migrated_sqlite: Path) -> None:
    """Measured by SQLite itself; before, 148 bytes a tick of two symbols and 250 an equity row."""
    import shutil

    from arena.store.seasons import resume_or_open
    from tests.store.conftest import PLAN

    shutil.copy(migrated_sqlite, tmp_path / "lab.db")
    database = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    season, _ = resume_or_open(database, PLAN, runtime={})
    books = Books(database, season)
    bots = [f"0190a0a0-0000-7000-8000-{n:012}" for n in range(10)]
    ticks = [tick(books, n, {"BTCUSDT": 69000 + n / 100, "ETHUSDT": 3000 + n / 100}) for n in range(5000)]
    rows = [equity(books, bot, n * 10, 1e4 + n / 7) for n in range(500) for bot in bots]
    with database.begin() as connection:
        insert_rows(connection, Tick, ticks)
        insert_rows(connection, EquityRow, rows)
    database.dispose()
    assert bytes_of(tmp_path / "lab.db", ("tick_rows",)) / len(ticks) < 148 / 2
    everything_of_equity = ("equity_rows", "ix_equity_rows_entry", "equity_rollups", "entry_numbers")
    assert bytes_of(tmp_path / "lab.db", everything_of_equity) / len(rows) < 250 / 2


def bytes_of(path: Path, names: tuple[str, ...]) -> int:
    with sqlite3.connect(path) as connection:
        marks = ",".join("?" * len(names))
        query = f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({marks})"
        return int(connection.execute(query, names).fetchone()[0])


def test_roll_ups_are_the_same_made_at_once_or_made_again(books: Books) -> None:
    recorder = Recorder(books.database)
    values = [1e4 + (n * 7919 % 1000) / 7 for n in range(800)]
    for n, value in enumerate(values):
        recorder.record(TickWrites(equity=[equity(books, "x", n * 10, value), equity(books, "y", n * 10, -value)]))
    written = rows_of(books.database, EquityRollup)
    hours = [row for row in written if (row["entry"], row["seconds"]) == (1, 3600)]
    times = [1e9 + n * 10 for n in range(800)]
    for row in hours:
        mine = [value for time, value in zip(times, values, strict=True) if row["start"] <= time < row["start"] + 3600]
        assert [row[name] for name in ("open", "high", "low", "close", "rows")] == [
            mine[0], max(mine), min(mine), mine[-1], len(mine),
        ]  # fmt: skip
    assert sum(row["rows"] for row in hours) == 800
    with books.database.begin() as connection:
        connection.execute(text("DELETE FROM equity_rollups WHERE entry = 1"))
    assert fill_missing(books.database) == 1
    assert rows_of(books.database, EquityRollup) == written
    assert fill_missing(books.database) == 0


PRICES, PRICE = '{"C":0.1,"A":4}', '{"A":1e-300}'


def test_the_views_are_written_like_the_tables_they_stand_for(books: Books) -> None:
    """By somebody who mends or changes a row by hand, whom a proof then finds."""
    recorder = Recorder(books.database)
    for n in range(3):
        recorder.record(TickWrites(tick=tick(books, n, {"A": 1 / 3, "B x": 2.5}), equity=[equity(books, "x", n, 1.0)]))
    as_json = "CAST('{}' AS JSON)" if books.database.dialect.name == "postgresql" else "'{}'"
    season = books.season.id
    new_equity = f"(5, 'Y', 2.5, 0, 0, 1, '{season}', 'y', 9)"
    columns = "time, bot_name, equity, realized_pnl, unrealized_pnl, cash, season_id, bot_id, tick"
    new_tick = f"('{season}', 3, 8, {as_json.format(PRICE)})"
    with books.database.begin() as connection:
        for words in (
            "UPDATE equity SET equity = equity + 1e-9, cash = 7 WHERE tick = 1",
            "DELETE FROM equity WHERE tick = 0",
            f"INSERT INTO equity ({columns}) VALUES {new_equity}",
            f"UPDATE ticks SET prices = {as_json.format(PRICES)} WHERE n = 1",
            "UPDATE ticks SET time = 5 WHERE n = 2",
            "DELETE FROM ticks WHERE n = 0",
            f"INSERT INTO ticks (season_id, n, time, prices) VALUES {new_tick}",
        ):
            connection.exec_driver_sql(words)
    assert [(row["n"], row["time"], row["prices"]) for row in rows_of(books.database, Tick)] == [
        (1, 1e9 + 1, {"C": 0.1, "A": 4}), (2, 5.0, {"A": 1 / 3, "B x": 2.5}), (3, 8.0, {"A": 1e-300}),
    ]  # fmt: skip
    names = ("tick", "bot_name", "equity", "cash")
    assert [tuple(row[name] for name in names) for row in rows_of(books.database, EquityRow)] == [
        (1, "Bot x", 1.0 + 1e-9, 7.0), (2, "Bot x", 1.0, 1.0), (9, "Y", 2.5, 1.0),
    ]  # fmt: skip
    with pytest.raises(SQLAlchemyError, match="are those of entry_numbers"), books.database.begin() as connection:
        connection.exec_driver_sql("UPDATE equity SET bot_name = 'Z'")

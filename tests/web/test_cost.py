"""What board, bot page and reads cost does not grow with the season's age: the plans of their queries say so."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine as Database
from sqlalchemy import event

from arena.store.bulk import insert_rows
from arena.store.database import open_database
from arena.store.models import EquityRow, LogRow, OrderRow, Tick, Trade
from benchmarks.board_server import arena_app, season_of
from tests.arenas import BUYER, Running, bot_source

# Tables that have more rows with every tick. The roll-ups are read in spans that are bounded by their level.
GROWING = {"t", "e", "tick_rows", "equity_rows", "trades", "orders", "logs", "bot_ticks", "score_points"}
COUNT = 11_000  # more equity than is read row by row


@dataclass
class Asked:
    """An app over a season with some history, and the queries that its answers have made."""

    app: FastAPI
    database: Database
    bot: str
    queries: list[tuple[str, Any]] = field(default_factory=list)

    def get(self, path: str) -> httpx2.Response:
        async def talk() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.get(path)

        self.queries.clear()
        return asyncio.run(talk())

    def plans(self) -> list[list[str]]:
        """Return the steps of each query's plan."""
        return plans_of(self.database, list(self.queries))


def plans_of(database: Database, asked: list[tuple[str, Any]]) -> list[list[str]]:
    with database.connect() as connection:
        cursor = connection.connection.cursor()
        return [
            [row[3] for row in cursor.execute("EXPLAIN QUERY PLAN " + words, values).fetchall()]
            for words, values in asked
        ]


@contextlib.contextmanager
def heard(database: Database, queries: list[tuple[str, Any]]) -> Iterator[None]:
    """Note every query that is made."""

    def listen(_connection: Any, _cursor: Any, words: str, values: Any, *_rest: Any) -> None:
        if words.startswith(("SELECT", "WITH")):
            queries.append((words, values))

    event.listen(database, "before_cursor_execute", listen)
    yield
    event.remove(database, "before_cursor_execute", listen)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Asked]:
    path = tmp_path_factory.mktemp("cost") / "lab.db"
    shutil.copy(migrated_sqlite, path)
    database = open_database(f"sqlite:///{path}")
    season, bots = season_of(database, 2)
    ids = {"season_id": season.id, "bot_id": bots[0]["id"]}
    named = {**ids, "bot_name": bots[0]["bot_name"]}
    worth = {"equity": 1e4, "realized_pnl": 0.0, "unrealized_pnl": 0.0, "cash": 1.0}
    order = {"symbol": "B", "side": "BUY", "size": 1.0}
    with database.begin() as connection:
        insert_rows(connection, EquityRow, [{**named, **worth, "time": 1e9 + 10 * n, "tick": n} for n in range(COUNT)])
        for n in range(3):
            insert_rows(connection, Tick, [{
                "season_id": season.id, "n": n, "time": 1e9 + n, "prices": {"B": 1.0}, "conditions": None,
            }])  # fmt: skip
            insert_rows(connection, OrderRow, [{**named, **order, "time": 1e9, "status": "filled", "tick": n}])
            insert_rows(connection, LogRow, [{**ids, "tick": n, "time": 1e9, "level": "INFO", "message": "here"}])
            insert_rows(connection, Trade, [{
                **named, **order, "time": 1e9, "tick": n, "price": 1.0, "cash_after": 1.0, "position_after": 1.0,
                "fee": 0.0, "realized_pnl": 0.0,
            }])  # fmt: skip
    found = Asked(arena_app(database, season), database, bots[0]["id"])

    with heard(database, found.queries):
        yield found
    database.dispose()


def reads_on(step: str) -> bool:
    """Say whether a step of a plan reads a growing table from one end to the other."""
    words = step.split()
    return words[0] == "SCAN" and words[1] in GROWING


def check(plans: list[list[str]]) -> None:
    for plan in plans:
        assert not [step for step in plan if reads_on(step)], plan
        # Nor is what it found sorted: that too would take all of it.
        grows = any(step.split()[:1] == ["SEARCH"] and step.split()[1] in GROWING for step in plan)
        assert not (grows and any("B-TREE" in step for step in plan)), plan


PATHS = (
    "/api/v1/leaderboard", "/api/v1/bots/{}", "/api/v1/bots", "/api/v1/trades", "/api/v1/trades?cursor=3",
    "/api/v1/bots/{}/trades", "/api/v1/bots/{}/trades?cursor=3", "/api/v1/bots/{}/orders",
    "/api/v1/bots/{}/logs", "/api/v1/bots/{}/equity", "/api/v1/bots/{}/equity?limit=2",
    "/api/v1/bots/{}/equity?since=1000000000&until=1000001000", "/api/v1/curves?bot={}",
    "/api/v1/prices", "/api/v1/prices/history?limit=2", "/api/v1/prices?season=1", "/api/v1/seasons",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_read_goes_through_a_table_that_grows(asked: Asked, path: str) -> None:
    answer = asked.get(path.format(asked.bot))
    assert answer.status_code == 200, answer.text
    check(asked.plans())


PAGES = ("/", "/bots/{}", "/seasons", "/market", "/compare?bot={}", "/api/v1/status")


def test_no_page_of_a_running_season_goes_through_a_table_that_grows(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source(BUYER, name=own_name))
    live.ticks(3)
    queries: list[tuple[str, Any]] = []
    with heard(live.arena.database, queries):
        for page in PAGES:
            assert live.client.get(page.format(seat.id)).status_code == 200
    assert queries
    check(plans_of(live.arena.database, queries))


def test_the_check_sees_a_scan(asked: Asked) -> None:
    asked.queries[:] = [("SELECT count(*) FROM ticks", ())]
    assert [step for plan in asked.plans() for step in plan if reads_on(step)]


def test_equity_says_what_its_items_are(asked: Asked) -> None:
    address = f"/api/v1/bots/{asked.bot}/equity"
    whole = asked.get(address).json()
    assert (whole["points"], whole["resolution"] % 60) == (COUNT, 0)
    assert whole["resolution"] > 0
    assert 500 < len(whole["items"]) <= 2000
    assert whole["items"][-1]["high"] == 1e4
    short = asked.get(f"{address}?since=1000000000&until=1000001000").json()
    assert (short["points"], short["resolution"], len(short["items"])) == (101, 0, 101)
    assert short["items"][0]["open"] is None

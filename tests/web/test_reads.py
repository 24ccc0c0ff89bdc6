"""Reads are bounded: lines with places, bundles a few rows at a time, curves thinned by the database."""

from __future__ import annotations

import asyncio
import io
import itertools
import shutil
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import Engine as Database
from sqlalchemy import make_url

from arena.errors import TooLargeError
from arena.store import bundle as store_bundle
from arena.store import curves
from arena.store.bulk import Row, insert_rows
from arena.store.bundle import copy_bundle, read_bundle, write_bundle
from arena.store.database import open_database
from arena.store.models import EquityRow, LogRow, Season, Tick, Trade
from arena.web import bundles as web_bundles
from arena.web.limits import ConcurrencyLimit, ConcurrencyLimits, network_of
from arena.web.problems import TooManyError
from benchmarks.board_server import arena_app, season_of
from tests.conftest import DATABASE_KINDS

TICKS = 2500


@dataclass
class History:
    """An app over a season with a history, whose engine does nothing by itself."""

    app: FastAPI
    database: Database
    season: Season
    bots: list[Row]

    @property
    def lines(self) -> ConcurrencyLimits:
        found: ConcurrencyLimits = self.app.state.lines
        return found

    def ask(self, work: Callable[[httpx2.AsyncClient], Awaitable[Any]]) -> Any:
        async def talk() -> Any:
            transport = httpx2.ASGITransport(app=self.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await work(client)

        return asyncio.run(talk())


@dataclass
class Recorded:
    """A season with a history, in a database that is there to be copied."""

    source: str
    season: Season
    bots: list[Row]


@pytest.fixture(scope="module", params=DATABASE_KINDS)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Record a season once; writing ten thousand rows for each test would be most of its time."""
    if request.param == "sqlite":
        source = str(tmp_path_factory.mktemp("recorded") / "lab.db")
        shutil.copy(request.getfixturevalue("migrated_sqlite"), source)
        database = open_database(f"sqlite:///{source}")
    else:
        url = request.getfixturevalue("postgres_url")(request.getfixturevalue("migrated_postgres"))
        source = make_url(url).database or ""
        database = open_database(url)
    season, bots = season_of(database, 3)
    ids = {"season_id": season.id, "bot_id": bots[0]["id"]}
    named = {**ids, "bot_name": bots[0]["bot_name"]}
    ticks = [{"season_id": season.id, "n": n, "time": 1e9 + n, "prices": {"BTCUSDT": 1.0 + n}} for n in range(TICKS)]
    worth = {"realized_pnl": 0.0, "unrealized_pnl": 0.0, "cash": 1.0}
    equity = [{**named, "time": 1e9 + n, "equity": float(n), "tick": n, **worth} for n in range(TICKS)]
    fill = {"symbol": "BTCUSDT", "side": "BUY", "size": 1.0, "price": 1.0, "cash_after": 1.0, "position_after": 1.0}
    trades = [{**named, **fill, "time": 1e9 + n, "tick": n, "fee": 0.0, "realized_pnl": 0.0} for n in range(TICKS)]
    logs = [{**ids, "tick": n, "time": 1e9 + n, "level": "INFO", "message": "here"} for n in range(TICKS)]
    with database.begin() as connection:
        for model, rows in ((Tick, ticks), (EquityRow, equity), (Trade, trades), (LogRow, logs)):
            insert_rows(connection, model, rows)
    # Only a database that nobody is connected to can be copied.
    database.dispose()
    return Recorded(source, season, bots)


@pytest.fixture
def history(recorded: Recorded, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """Serve a copy of the recorded season."""
    if recorded.source.endswith("lab.db"):
        shutil.copy(recorded.source, tmp_path / "lab.db")
        database = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    else:
        database = open_database(request.getfixturevalue("postgres_url")(recorded.source))
    app = arena_app(database, recorded.season)
    app.state.context.engine.market.n = TICKS - 1
    yield History(app, database, recorded.season, recorded.bots)
    database.dispose()


# -- lines


def asker(address: str) -> Request:
    return Request({"type": "http", "client": (address, 1), "headers": []})


def test_a_line_has_places_a_queue_and_a_share_for_each_address() -> None:
    async def crowd() -> list[str]:
        line, go_on, found = ConcurrencyLimit("reads", 2, 3, 4), asyncio.Event(), []
        inside = 0

        async def read(address: str) -> str:
            nonlocal inside
            try:
                async with line.place(asker(address)):
                    inside += 1
                    assert inside <= 2
                    await go_on.wait()
                    inside -= 1
            except TooManyError as error:
                return str(error)
            return "read"

        tasks = [asyncio.create_task(read(address)) for address in "aaaaabbb"]
        await asyncio.sleep(0)
        go_on.set()
        found = [await task for task in tasks]
        assert await read("a") == "read"
        return found

    found = asyncio.run(crowd())
    assert found[:4] == ["read"] * 4
    assert found[4].startswith("Your address is asking for 4 reads")
    assert found[5] == "read"
    assert [words.startswith("Too many reads") for words in found[6:]] == [True, True]


def test_a_place_is_given_back_whatever_happens() -> None:
    async def fail_and_leave() -> None:
        line = ConcurrencyLimit("reads", 1, 0, 1)
        with pytest.raises(ZeroDivisionError):
            await line.run(asker("a"), lambda: 1 // 0)
        task = asyncio.create_task(line.run(asker("a"), lambda: None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await line.run(asker("a"), lambda: 7) == 7
        assert not line._present

    asyncio.run(fail_and_leave())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False), ("2001:db8::1", "2001:db8::ffff:1", True), ("::1", "::1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False), ("", "", True),
    ],
)  # fmt: skip
def test_an_address_is_what_one_client_can_choose_from(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a case's verdict
    assert (network_of(one) == network_of(other)) is same


def test_together_the_lines_leave_threads_and_connections_free() -> None:
    lines = ConcurrencyLimits()
    threads = lines.reads.at_once + lines.tables.at_once + lines.bundles.at_once + lines.writes.at_once
    assert threads <= 15
    assert lines.bundles.at_once == 1


HEAVY = ("/bots", "/trades", "/bots/{}/trades", "/bots/{}/orders", "/bots/{}/logs", "/bots/{}/equity")


@pytest.mark.system
@pytest.mark.parametrize("path", HEAVY)
def test_a_heavy_read_beyond_the_line_is_told_to_wait(history: History, path: str) -> None:
    history.lines.tables.per_address = 0
    answer = history.ask(lambda client: client.get("/api/v1" + path.format(history.bots[0]["id"])))
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    history.lines.tables.per_address = 1
    assert history.ask(lambda client: client.get("/api/v1" + path.format(history.bots[0]["id"]))).status_code == 200


@pytest.mark.parametrize("line", ["bundles", "downloads"])
def test_a_bundle_beyond_the_line_is_told_to_wait(history: History, line: str) -> None:
    getattr(history.lines, line).per_address = 0
    answer = history.ask(lambda client: client.get(f"/api/v1/bots/{history.bots[0]['id']}/bundle"))
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"


def test_streams_beyond_the_line_are_told_to_wait(history: History) -> None:
    history.lines.streams.per_address = 0
    assert history.ask(lambda client: client.get("/api/v1/stream")).status_code == 429


# -- bundles


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.system
def test_a_bundle_is_the_same_as_one_that_was_made_in_memory(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_bundle, "_BATCH", 7)
    season_id, bot_id = history.season.id, history.bots[0]["id"]
    streamed, whole = io.BytesIO(), io.BytesIO()
    copy_bundle(history.database, season_id, bot_id, "0", streamed, 10**9)
    write_bundle(read_bundle(history.database, season_id, bot_id, "0"), whole)
    one, other = members(streamed.getvalue()), members(whole.getvalue())
    assert one == other
    assert len(one["ticks.jsonl"].splitlines()) == TICKS
    assert set(orjson.loads(one["manifest.json"])["sha256"]) == set(one) - {"manifest.json"}


def test_only_a_few_rows_of_a_bundle_are_in_memory(history: History) -> None:
    facts = store_bundle._facts(history.database, history.season.id, history.bots[0]["id"])
    for name in ("ticks", "trades", "equity"):
        sizes = [len(rows) for rows in facts.batches(history.database, name)]
        assert sum(sizes) == TICKS
        assert max(sizes) <= store_bundle._BATCH < TICKS


def test_a_bundle_that_grows_too_large_is_given_up_early(history: History) -> None:
    file = io.BytesIO()
    with pytest.raises(TooLargeError):
        copy_bundle(history.database, history.season.id, history.bots[0]["id"], "0", file, 2000)
    assert file.tell() < 100_000


def test_a_bundle_that_is_too_large_is_told_so(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_bundles, "MAX_BYTES", 2000)
    answer = history.ask(lambda client: client.get(f"/api/v1/bots/{history.bots[0]['id']}/bundle"))
    assert answer.status_code == 409
    assert "arena export" in answer.json()["detail"]


@pytest.mark.system
def test_those_who_ask_for_one_bundle_wait_for_one_writing(history: History) -> None:
    path = f"/api/v1/bots/{history.bots[0]['id']}/bundle"
    history.lines.bundles.per_address = history.lines.bundles.in_line = history.lines.downloads.per_address = 100

    async def crowd(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        return list(await asyncio.gather(*(client.get(path) for _ in range(20))))

    async def twice(client: httpx2.AsyncClient) -> None:
        answers = await crowd(client)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
        assert int(answers[0].headers["content-length"]) == len(answers[0].content)
        assert history.app.state.bundles.builds == 1
        history.app.state.context.engine.market.n += 1
        await crowd(client)
        assert history.app.state.bundles.builds == 2

    history.ask(twice)


@pytest.mark.system
def test_the_bundles_that_are_kept_are_bounded(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_bundles, "MAX_KEPT_BYTES", 1)
    for bot in history.bots:
        history.ask(lambda client, bot=bot: client.get(f"/api/v1/bots/{bot['id']}/bundle"))
    assert len(history.app.state.bundles._kept) == 1


# -- curves and pages


@pytest.mark.parametrize("limit", [2, 3, 7, 100, 999, 1000, TICKS - 1, TICKS, 20_000])
def test_a_curve_is_thinned_evenly_and_keeps_both_ends(history: History, limit: int) -> None:
    found = curves.equity_curve(history.database, history.season.id, history.bots[0]["id"], limit)
    values = [row["equity"] for row in found]
    assert len(values) == min(limit, TICKS)
    assert (values[0], values[-1]) == (0.0, TICKS - 1.0)
    steps = [after - before for before, after in itertools.pairwise(values)]
    assert max(steps) - min(steps) <= 1
    assert min(steps) >= 1


def test_a_curve_without_points_is_empty(history: History) -> None:
    assert curves.equity_curve(history.database, history.season.id, history.bots[1]["id"], 10) == []


def test_pages_go_through_everything_once(history: History) -> None:
    async def all_pages(client: httpx2.AsyncClient) -> Iterator[int]:
        found, cursor = [], ""
        while True:
            page = (await client.get(f"/api/v1/bots/{history.bots[0]['id']}/trades?limit=999{cursor}")).json()
            found += [row["id"] for row in page["items"]]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    found = history.ask(all_pages)
    assert len(found) == len(set(found)) == TICKS
    assert found == sorted(found, reverse=True)

"""The board is encoded once and is never out of date: an app over an engine that stands still, moved by hand."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine as Database
from sqlalchemy import update

from arena.engine.seat import Life
from arena.store.bulk import Row, table_of
from arena.store.bundle import mark_verified
from arena.store.models import Entry, Season
from arena.store.recorder import Recorder, TickWrites
from arena.web import board as boards
from arena.web import schemas
from arena.web.board import BoardCache
from arena.web.board_edition import takes_gzip
from benchmarks.board_server import arena_app, season_of, standings

BOTS = 30
PATH = "/api/v1/leaderboard"


@dataclass
class Still:
    """An app whose engine does nothing by itself."""

    app: FastAPI
    database: Database
    season: Season
    bots: list[Row]

    @property
    def board(self) -> BoardCache:
        found: BoardCache = self.app.state.board
        return found

    @property
    def engine(self) -> Any:
        return self.app.state.context.engine

    def snapshot(self, tick: int) -> None:
        """Record a snapshot with the bots in reverse order, and let the market be there."""
        Recorder(self.database).record(TickWrites(standings=standings(self.season, self.bots[::-1], tick)))
        self.engine.market.n = tick

    def store(self, bot: Row, **values: Any) -> None:
        table = table_of(Entry)
        with self.database.begin() as connection:
            connection.execute(update(table).where(table.c.bot_id == bot["id"]).values(**values))

    def ask(self, work: Callable[[httpx2.AsyncClient], Awaitable[Any]]) -> Any:
        """Talk to the app; all of it in one event loop."""

        async def talk() -> Any:
            async with self.client() as client:
                return await work(client)

        return asyncio.run(talk())

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            del client.headers["accept-encoding"]
            yield client

    def get(self, query: str = "", **headers: str) -> httpx2.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        found: httpx2.Response = self.ask(lambda client: client.get(f"{PATH}?{query}", headers=names))
        return found


@pytest.fixture
def still(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Still]:
    # Only what a counter tells is to be seen here.
    monkeypatch.setattr(boards, "RECHECK_SECONDS", 1e12)
    season, bots = season_of(database, BOTS)
    Recorder(database).record(TickWrites(standings=standings(season, bots, 0)))
    return Still(arena_app(database, season), database, season, bots)


@pytest.mark.system
def test_the_board_is_exactly_what_its_schema_says(still: Still) -> None:
    answer = still.get("limit=1000")
    document = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert schemas.BoardPage.model_validate(document).model_dump(mode="json") == document
    assert list(document["items"][0]) == list(schemas.BoardItem.model_fields)
    assert len(document["items"]) == BOTS
    assert "Board" in str(still.app.openapi()["paths"][PATH]["get"]["responses"]["200"])


def test_many_who_ask_at_once_are_served_from_one_reading(still: Still) -> None:
    async def crowd(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        return list(await asyncio.gather(*(client.get(f"{PATH}?limit={n % 5 + 1}") for n in range(40))))

    answers = still.ask(crowd)
    assert {answer.status_code for answer in answers} == {200}
    assert still.board.builds == 1


def test_a_tick_that_changes_nothing_is_not_read_again(still: Still) -> None:
    before = still.get()
    still.engine.market.n = 7
    after = still.get(if_none_match=before.headers["etag"])
    assert (after.status_code, after.content) == (304, b"")
    assert still.board.builds == 1


def test_a_snapshot_is_shown_by_the_next_answer(still: Still) -> None:
    before = still.get()
    still.snapshot(10)
    after = still.get(if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert after.json()["items"][0]["bot_id"] == still.bots[-1]["id"]
    assert after.json()["as_of"] == before.json()["as_of"] + 10


def test_an_error_between_two_snapshots_is_shown(still: Still) -> None:
    still.get()
    still.store(still.bots[0], errors=3, last_error="division by zero")
    entry = still.engine.roster.get(still.bots[0]["id"]).entry
    entry.errors, entry.last_error = 3, "division by zero"
    still.engine.market.n = 1
    item = still.get().json()["items"][0]
    assert (item["errors"], item["last_error"]) == (3, "division by zero")


def test_pausing_resuming_and_retiring_are_shown_at_once(still: Still) -> None:
    first = still.bots[0]["id"]
    roster = still.engine.roster
    roster.get(first).life, roster.get(first).started = Life.ACTIVE, True
    tags = [still.get().headers["etag"]]
    for change, shown in ((roster.pause, "paused"), (roster.resume, "restarting")):
        change(first)
        answer = still.get()
        assert answer.json()["items"][0]["status"] == shown
        tags.append(answer.headers["etag"])
    roster.retire(first)
    answer = still.get()
    assert first not in {item["bot_id"] for item in answer.json()["items"]}
    assert len({*tags, answer.headers["etag"]}) == 4


def test_a_bot_that_is_quarantined_at_a_tick_is_shown(still: Still) -> None:
    still.get()
    still.engine.roster.get(still.bots[0]["id"]).life = Life.QUARANTINED
    still.engine.market.n = 1
    assert still.get().json()["items"][0]["status"] == "quarantined"


def test_a_status_comes_with_its_own_reason_though_the_row_is_older(still: Still) -> None:
    seat = still.engine.roster.get(still.bots[0]["id"])
    seat.entry.reason, seat.life = "its file is gone", Life.PAUSED
    bot = still.ask(lambda client: client.get(f"/api/v1/bots/{seat.id}")).json()
    assert (bot["status"], bot["reason"]) == ("paused", "its file is gone")


def test_a_proof_is_shown_at_once(still: Still) -> None:
    still.get()
    mark_verified(still.database, still.season.id, still.bots[0]["id"], 9, "reproduced")
    still.engine.roster.changed()
    item = still.get().json()["items"][0]
    assert (item["verified"], item["verified_tick"]) == ("reproduced", 9)


def test_a_closed_season_is_shown_at_once(still: Still) -> None:
    assert still.get().json()["season"]["status"] == "open"
    still.engine.finish()
    assert still.get().json()["season"]["status"] == "closed"


def test_what_no_counter_tells_is_seen_within_a_second(still: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    still.get()
    still.engine.roster.get(still.bots[0]["id"]).life = Life.RECOVERING
    assert still.get().json()["items"][0]["status"] == "active"
    monkeypatch.setattr(boards, "RECHECK_SECONDS", 1e-9)
    assert still.get().json()["items"][0]["status"] == "recovering"


def test_every_dress_of_the_board_says_the_same_and_has_a_tag_of_its_own(still: Still) -> None:
    async def dresses(client: httpx2.AsyncClient) -> list[httpx2.Response]:
        kinds = ({}, {"accept-encoding": "gzip"}, {"accept": "text/csv"},
                 {"accept": "text/csv", "accept-encoding": "br, gzip;q=0.5"})  # fmt: skip
        return [await client.get(PATH, headers=kind) for kind in kinds]

    plain, packed, table, packed_table = still.ask(dresses)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == packed_table.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert packed_table.text == table.text
    assert len(gzip.compress(plain.content)) < len(plain.content) / 4
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4
    tags = {answer.headers["etag"] for answer in (plain, packed, table, packed_table)}
    assert len(tags) == 4
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)
    assert {answer.headers["vary"] for answer in (plain, packed, table)} == {"Accept, Accept-Encoding"}
    assert {answer.headers["cache-control"] for answer in (plain, packed, table)} == {"no-cache"}


def test_a_client_that_has_it_already_gets_no_body(still: Still) -> None:
    tag = still.get().headers["etag"]
    for given in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = still.get(if_none_match=given)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["vary"] == "Accept, Accept-Encoding"
        assert "content-length" not in answer.headers
    for given in ('"x"', tag.strip('"'), ""):
        assert still.get(if_none_match=given).status_code == 200


def test_the_same_board_has_the_same_tag_on_another_server(still: Still) -> None:
    other = Still(arena_app(still.database, still.season), still.database, still.season, still.bots)
    assert still.get().headers["etag"] == other.get().headers["etag"]


def test_what_is_kept_is_bounded(still: Still, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "MAX_PAGES", 5)
    monkeypatch.setattr(boards, "MAX_KNOWN", 7)
    board = still.board
    for limit in range(1, 21):
        assert len(still.get(f"limit={limit}").json()["items"]) == limit
        assert len(board._pages) <= 5
        assert len(board._known) <= 7
    monkeypatch.setattr(boards, "MAX_PAGE_BYTES", 20_000)
    assert len(still.get("limit=20&order=desc").json()["items"]) == 20
    assert sum(len(page.body) for page in board._pages.values()) == board._bytes <= 20_000
    assert board.builds == 1


def test_the_door_stands_before_what_is_kept(still: Still) -> None:
    for answer in (still.get(), still.get(), still.get(if_none_match=still.get().headers["etag"])):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert still.get(host="evil.example").status_code == 421


@pytest.mark.system
def test_a_wrong_question_stays_wrong(still: Still) -> None:
    for _ in range(2):
        assert still.get("limit=0").status_code == 422


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("", False), ("gzip", True), ("GZIP", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("*", True),
        ("identity", False), ("*;q=0", False), ("gzip;q=x", False), ("gzip;q=0, *", False), ("x-gzip", False),
    ],
)  # fmt: skip
def test_gzip_goes_to_those_who_take_it(header: str, taken: bool) -> None:  # noqa: FBT001 - a case's verdict
    assert takes_gzip(header) is taken

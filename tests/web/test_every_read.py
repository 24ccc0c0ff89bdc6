"""Every read of the API's document: past seasons, tables and tags, by walking the document."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

from arena.web.server import api_document
from tests.arenas import BUYER, Running, bot_source, running, settings_for, until

CSV, PARQUET = {"accept": "text/csv"}, {"accept": "application/vnd.apache.parquet"}
DOCUMENT: dict[str, Any] = json.loads(api_document())
READS = {path.removeprefix("/api/v1"): one["get"] for path, one in DOCUMENT["paths"].items() if "get" in one}
# Of no season, or of the one that the address names.
WITHOUT_SEASON = {
    "/activity", "/backtests", "/backtests/{run_id}", "/backtests/{run_id}/files/{name}", "/claims-schema", "/contract",
    "/jobs/{job_id}", "/jobs/{job_id}/events", "/key", "/me", "/me/tokens", "/models", "/seasons", "/seasons/{number}",
    "/seasons/{number}/files/{name}", "/seasons/{number}/report", "/status", "/strategies/{submission_id}",
    "/strategies/{submission_id}/events", "/strategies/{submission_id}/question", "/stream", "/tapes", "/tournaments",
    "/tournaments/{tournament_id}", "/tournaments/{tournament_id}/files/{name}", "/users", "/webhooks",
}  # fmt: skip
OF_SEASONS = sorted(set(READS) - WITHOUT_SEASON)


def schema_of(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an answer, {} for what is no JSON."""
    found = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
    name = found.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["schemas"][name] if name else found


def is_list(operation: dict[str, Any]) -> bool:
    return schema_of(operation).get("properties", {}).get("items", {}).get("type") == "array"


LISTS = sorted(path for path, operation in READS.items() if is_list(operation))


@dataclass
class Two:
    """An arena whose first season is over, and a bot that has traded in it."""

    arena: Running
    bot: str
    trade: int
    tick: int
    run: str

    def address(self, path: str) -> str:
        filled = path.format(bot_id=self.bot, number=self.trade if "/trades/" in path else self.tick)
        return f"{filled}?bot={self.bot}" if path == "/curves" else filled


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("two")
    with running(settings_for(folder), folder) as arena:
        bot = arena.admitted(bot_source(f'ctx.log("hello")\n{BUYER}', name="Of both")).id
        trade = until(lambda: arena.get(f"/bots/{bot}/trades")["items"], "a trade")[0]
        until(lambda: arena.get(f"/bots/{bot}/equity")["items"], "an equity row")
        tick = arena.get(f"/bots/{bot}/logs")["items"][0]["tick"]
        arena.proof(bot)
        prices = "time,symbol,price\n" + "".join(f"{1_767_225_600 + n},BTCUSDT,{100 + n}\n" for n in range(9))
        tape = arena.api("POST", "/tapes?name=rising.csv", content=prices.encode()).json()["name"]
        run = arena.api("POST", "/backtests", json={"bots": [bot], "tape": tape}).json()
        assert arena.job(f"/jobs/{run['job_id']}")["status"] == "done"
        assert arena.api("POST", "/seasons").status_code == 200
        yield Two(arena, bot, trade["id"], tick, run["id"])


def test_every_read_of_a_season_takes_one() -> None:
    taking = {
        path for path, one in READS.items() if any(each["name"] == "season" for each in one.get("parameters", ()))
    }
    assert taking == set(OF_SEASONS)


@pytest.mark.parametrize("path", sorted(set(OF_SEASONS) - {"/bots/{bot_id}/robust"}))
def test_a_season_that_is_over_is_read_as_the_present_one(two: Two, path: str) -> None:
    """Of robustness nothing is there: nobody has asked for it."""
    address = two.address(path)
    joint = "&" if "?" in address else "?"
    old = two.arena.api("GET", f"{address}{joint}season=1")
    assert old.status_code == 200, old.text
    tagged(two, f"{address}{joint}season=1")
    missing = two.arena.api("GET", f"{address}{joint}season=99")
    assert missing.status_code == 404, missing.text
    assert "season" in missing.json()["detail"]


def tagged(two: Two, address: str) -> None:
    """Show that what has not changed is not sent again; the files of a closed season do not change."""
    first = two.arena.api("GET", address)
    assert first.status_code == 200, first.text
    again = two.arena.api("GET", address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = two.arena.api("GET", address, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize(
    "address",
    [
        "/claims-schema", "/contract", "/key", "/me", "/models", "/seasons/1", "/seasons/1/report",
        "/seasons/1/report?format=csv", "/seasons/1/report?format=html", "/seasons/1/files/board.csv",
        "/seasons/1/files/trades.parquet", "/seasons/1/files/report.json",
        "/seasons/1/files/season.zip", "/tapes", "/tournaments", "/webhooks",
        "/backtests", "/backtests/{run}", "/backtests/{run}/files/run.json",
    ],
)  # fmt: skip
def test_what_has_not_changed_is_not_sent_again(two: Two, address: str) -> None:
    tagged(two, address.format(run=two.run))


def test_every_list_is_said_to_come_as_a_table() -> None:
    for path in LISTS:
        assert {"text/csv", "application/vnd.apache.parquet"} <= set(READS[path]["responses"]["200"]["content"]), path


@pytest.mark.parametrize("path", sorted(set(LISTS) - {"/me/tokens"}))
def test_every_list_comes_as_a_table(two: Two, path: str) -> None:
    """Tokens are listed where there are accounts."""
    address = two.address(path)
    table, file = (two.arena.api("GET", address, headers=headers) for headers in (CSV, PARQUET))
    assert (table.status_code, table.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert next(csv.reader(io.StringIO(table.text)))
    assert (file.status_code, file.headers["content-type"]) == (200, "application/vnd.apache.parquet")
    assert pl.read_parquet(io.BytesIO(file.content)).columns

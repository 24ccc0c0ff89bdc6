"""What the API says of itself, and tables, tags and resumption as it says."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
import pytest

from arena.engine.live.broadcast import KEPT, Broadcast
from arena.web.access import access_of
from arena.web.server import api_document
from tests.arenas import BUYER, Running, bot_source, until

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
CSV, PARQUET = {"accept": "text/csv"}, {"accept": "application/vnd.apache.parquet"}


@pytest.fixture(scope="module")
def document(live: Running) -> dict[str, Any]:
    found: dict[str, Any] = live.client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_the_committed_document_is_what_the_server_sends(document: dict[str, Any]) -> None:
    assert json.loads(FILE.read_bytes()) == document, "run `make openapi` and read the difference"
    assert api_document() == FILE.read_bytes()


def test_every_parameter_is_explained_with_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert parameter["description"].endswith("."), (method, path, parameter["name"])
            assert "example" in parameter, (method, path, parameter["name"])


def test_every_route_is_described_and_every_body_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["description"].endswith((".", "}`.")), (method, path)
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            name = schema.get("$ref", "").rpartition("/")[2]
            assert (document["components"]["schemas"][name] if name else schema)["examples"], (method, path)


def test_every_route_says_what_it_needs_and_that_it_may_refuse(document: dict[str, Any]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"bearer", "session"}
    for method, path, operation in operations(document):
        assert {"401", "403", "413", "429"} <= set(operation["responses"]), (method, path)
        # Without accounts and token this machine is asked for nothing; sessions are of accounts alone.
        guarded = access_of(method.upper(), path).right == "signed in"
        assert ({} in operation["security"]) != guarded, (method, path)
        assert {"bearer": []} in operation["security"]


LISTS = [
    "/trades", "/bots", "/seasons", "/prices/history", "/bots/{bot}/orders", "/bots/{bot}/trades", "/bots/{bot}/logs",
    "/bots/{bot}/equity", "/leaderboard", "/models", "/activity", "/bots/{bot}/lineage", "/integrity", "/users",
    "/bots/{bot}/integrity", "/leaderboard/groups", "/curves?bot={bot}",
]  # fmt: skip


@pytest.fixture(scope="module")
def trader(live: Running) -> str:
    seat = live.admitted(bot_source(f'ctx.log("=1+1")\n{BUYER}', name="=HYPERLINK(1)"))
    until(lambda: seat.score.trades > 0, "a trade", 60.0)
    until(lambda: live.get(f"/bots/{seat.id}/equity")["items"], "an equity row", 60.0)
    return seat.id


@pytest.mark.parametrize("path", LISTS)
def test_every_list_comes_as_csv_and_as_parquet(live: Running, trader: str, path: str) -> None:
    path = path.format(bot=trader)
    table = live.api("GET", path, headers=CSV)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    file = live.api("GET", path, headers=PARQUET)
    assert file.headers["content-type"] == "application/vnd.apache.parquet"
    frame = pl.read_parquet(io.BytesIO(file.content))
    assert (table.status_code, file.status_code) == (200, 200)
    named = next(csv.reader(io.StringIO(table.text)))
    assert set(named) <= set(frame.columns)
    for cells in rows:
        for cell in cells.values():
            assert not cell.startswith(("=", "+", "@")), path
            assert not cell.startswith("-") or float(cell) <= 0


def test_a_table_says_what_the_json_says(live: Running, trader: str) -> None:
    path = f"/bots/{trader}/trades?limit=1&cursor=1000000"
    (item,) = live.get(path)["items"]
    (row,) = csv.DictReader(io.StringIO(live.api("GET", path, headers=CSV).text))
    assert (float(row["price"]), float(row["size"])) == (item["price"], item["size"])
    assert row["bot_name"] == "'=HYPERLINK(1)"
    (kept,) = pl.read_parquet(io.BytesIO(live.api("GET", path, headers=PARQUET).content)).to_dicts()
    assert kept == item


def test_what_is_no_list_stays_json(live: Running, trader: str) -> None:
    for path in (f"/bots/{trader}", "/status"):
        assert live.api("GET", path, headers=CSV).headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/seasons", "/seasons/1", "/models", "/key", "/bots/{bot}/receipt", "/integrity"])
def test_what_has_not_changed_is_not_sent_again(live: Running, trader: str, path: str) -> None:
    path = path.format(bot=trader)
    first = live.api("GET", path)
    tag = first.headers["etag"]
    for named in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = live.api("GET", path, headers={"if-none-match": named})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert live.api("GET", path, headers={"if-none-match": '"other"'}).content == first.content


def test_a_finding_names_its_place(live: Running) -> None:
    body = live.api("POST", "/strategies", json={"prompt": "x", "models": [""], "a/b": 1}).json()
    assert {one["pointer"] for one in body["errors"]} == {"#/models/0", "#/a~1b"}
    query = live.api("GET", "/trades?limit=0&cursor=x").json()
    assert {one["parameter"] for one in query["errors"]} == {"limit", "cursor"}
    unknown = live.api("GET", "/trades?limt=1").json()
    assert [one["parameter"] for one in unknown["errors"]] == ["limt"]
    refused = live.api("POST", "/bots", json={"source": "import os\n"}).json()
    assert refused["errors"][0]["line"] == 1
    assert refused["errors"][0]["detail"]


# -- streams


def read_events(answer: httpx2.Response, count: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    current: dict[str, str] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            current[name] = value
        elif current:
            found.append(current)
            current = {}
            if len(found) == count:
                break
    return found


def stream(live: Running, count: int, last: str = "") -> list[dict[str, str]]:
    headers = {"last-event-id": last} if last else {}
    with live.client.stream("GET", "/api/v1/stream", headers=headers) as answer:
        return read_events(answer, count)


def test_a_stream_goes_on_after_the_last_event(live: Running) -> None:
    first = stream(live, 4)
    assert first[0]["event"] == "tick"
    last = first[-1]["id"]
    resumed = stream(live, 3, last)
    name, number = last.split("-")
    assert [one["id"] for one in resumed] == [f"{name}-{int(number) + more}" for more in (1, 2, 3)]


@pytest.mark.parametrize("last", ["00000000-5", "nonsense", "a-b-c", "-1", "99999999-99999999999999999999999"])
def test_a_stream_that_lost_its_place_says_so(live: Running, last: str) -> None:
    gap, hello = stream(live, 2, last)
    assert (gap["event"], json.loads(gap["data"])) == ("gap", {"after": last})
    assert hello["event"] == "tick"


def test_events_that_are_kept_no_more_are_a_gap() -> None:
    async def listen() -> None:
        broadcast = Broadcast()
        start = broadcast.last_id
        for number in range(KEPT):
            broadcast.publish("tick", {"n": number})
        with broadcast.resuming(start) as (events, whole, _):
            assert whole
            assert [(await anext(events)).data["n"] for _ in range(KEPT)] == list(range(KEPT))
        broadcast.publish("tick", {"n": KEPT})
        with broadcast.resuming(start) as (_, whole, now):
            assert not whole
            assert now == broadcast.last_id

    asyncio.run(listen())


def test_a_jobs_stream_and_a_submissions_have_ids(live: Running, trader: str) -> None:
    asked = live.api("POST", "/strategies", json={"prompt": "Buy and hold BTC."})
    live.ended(asked.json()["id"])
    job = live.api("POST", f"/bots/{trader}/verify").headers["location"]
    live.job(job.removeprefix("/api/v1"))
    for path in (f"{asked.headers['location']}/events", f"{job}/events"):
        with live.client.stream("GET", path) as answer:
            (only,) = read_events(answer, 5)
        assert only["id"]

"""The arena as a whole over HTTP: board, seasons, prices, status, health, documentation."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.arenas import BUYER, Running, bot_source, until

SORTS = (
    "rank", "equity", "return_pct", "realized_pnl", "unrealized_pnl", "max_drawdown_pct", "sharpe",
    "trades", "win_rate_pct", "turnover", "exposure_pct", "fees", "name", "errors",
)  # fmt: skip


@pytest.fixture(scope="module")
def ranked(live: Running) -> Iterator[list[str]]:
    """Five bots of the shared arena that have a row on the board."""
    names = [f"Board {letter}" for letter in "ABCDE"]
    seats = [
        live.admitted(bot_source(f"{BUYER.replace('0.001', f'0.00{n}')}", name=name)) for n, name in enumerate(names, 1)
    ]
    until(lambda: all(seat.score.trades for seat in seats), "they have bought")
    live.ticks(11)
    # Where the module is come back to, they are second versions, with names of their own.
    yield [seat.name for seat in seats]
    for seat in seats:
        live.api("DELETE", f"/bots/{seat.id}")


def whole_board(live: Running, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = live.get("/leaderboard", params={"limit": 1000, **params})["items"]
    return items


def test_the_board_ranks_by_equity(live: Running, ranked: list[str]) -> None:
    board = live.get("/leaderboard?limit=1000")
    assert board["season"]["feed"] == "synthetic"
    assert board["as_of"] > 1_700_000_000
    assert [item["rank"] for item in board["items"]] == list(range(1, len(board["items"]) + 1))
    equities = [item["equity"] for item in board["items"] if item["equity"] is not None]
    assert equities == sorted(equities, reverse=True)
    mine = [item for item in board["items"] if item["name"] in ranked]
    assert len(mine) == len(ranked)
    for item in mine:
        assert item["equity"] == pytest.approx(10_000 + item["realized_pnl"] + item["unrealized_pnl"], rel=1e-9)
        assert item["return_pct"] == pytest.approx((item["equity"] / 10_000 - 1) * 100)
        assert (item["trades"], item["status"], item["sharpe"]) == (1, "active", None)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_every_column_sorts_both_ways_with_the_unknown_last(
    live: Running, ranked: list[str], sort: str, order: str
) -> None:
    del ranked
    values = [item[sort] for item in whole_board(live, sort=sort, order=order)]
    known = [value for value in values if value is not None]
    assert values == known + [None] * (len(values) - len(known))
    assert known == sorted(known, reverse=order == "desc")


@pytest.mark.parametrize("query", ["sort=bot_id", "sort=", "order=up", "limit=0", "limit=1001", "cursor=-1", "limit=x"])
def test_a_wrong_question_to_the_board_is_a_problem(live: Running, query: str) -> None:
    answer = live.api("GET", f"/leaderboard?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert query.partition("=")[0] in answer.json()["detail"]


def test_pages_of_the_board_make_the_whole(live: Running, ranked: list[str]) -> None:
    del ranked

    def paged() -> list[str]:
        found: list[str] = []
        cursor: int | None = 0
        while cursor is not None:
            page = live.get("/leaderboard", params={"sort": "name", "limit": 2, "cursor": cursor})
            assert 1 <= len(page["items"]) <= 2
            found += [item["bot_id"] for item in page["items"]]
            cursor = page["next_cursor"]
        return found

    # A strategy of another test may be admitted between two pages.
    until(lambda: paged() == [item["bot_id"] for item in whole_board(live, sort="name")], "the pages are the whole")


def test_the_board_comes_as_csv_where_csv_is_accepted(live: Running, ranked: list[str]) -> None:
    answer = live.api("GET", "/leaderboard?limit=1000", headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "\r" not in answer.text
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert set(ranked) <= {row["name"] for row in rows}
    row = next(row for row in rows if row["name"] == ranked[0])
    assert row["sharpe"] == ""
    assert repr(float(row["equity"])) == row["equity"]


def test_a_change_to_a_bot_is_on_the_board_when_its_answer_has_come(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source(name=own_name))

    def status() -> list[str]:
        return [item["status"] for item in whole_board(live) if item["bot_id"] == seat.id]

    assert status() == ["active"]
    live.api("POST", f"/bots/{seat.id}/pause")
    assert status() == ["paused"]
    live.api("POST", f"/bots/{seat.id}/resume")
    assert status() == ["active"]
    live.api("DELETE", f"/bots/{seat.id}")
    assert status() == []


def test_the_board_is_packed_and_revalidated_over_the_wire(live: Running, ranked: list[str]) -> None:
    del ranked

    def unchanged() -> bool:
        # A snapshot may come between the two questions.
        tag = live.api("GET", "/leaderboard").headers["etag"]
        answer = live.api("GET", "/leaderboard", headers={"if-none-match": tag})
        return answer.status_code == 304 and not answer.content

    assert live.api("GET", "/leaderboard").headers["content-encoding"] == "gzip"
    until(unchanged, "the same board twice")


def test_seasons_prices_and_trades_are_listed(live: Running, ranked: list[str]) -> None:
    (season,) = live.get("/seasons")["items"]
    assert (season["number"], season["status"], season["interval"]) == (1, "open", 0.1)
    assert set(season["runtime"]) == {"python", "numpy", "machine"}
    prices = live.get("/prices")
    assert set(prices["prices"]) == {"BTCUSDT", "ETHUSDT"}
    assert prices["tick"] >= 10
    assert prices["time"] == pytest.approx(round(prices["time"] * 10) / 10)
    trades = live.get("/trades?limit=1000")
    while not set(ranked) <= {trade["bot_name"] for trade in trades["items"]}:
        page = live.get("/trades", params={"limit": 1000, "cursor": trades["next_cursor"]})
        trades = {"items": trades["items"] + page["items"], "next_cursor": page["next_cursor"]}
    ids = [trade["id"] for trade in trades["items"]]
    assert ids == sorted(ids, reverse=True)


def test_the_status_says_what_was_chosen(live: Running) -> None:
    status = until(lambda: next((s for s in [live.get("/status")] if s["state"] == "running"), None), "it runs")
    assert status["generator"] == {"kind": "template", "model": "template"}
    assert status["season"]["feed"] == "synthetic"
    assert status["feeds"]["synthetic"]["state"] == "live"
    assert status["isolation"]["level"] in {"A", "B"}
    assert status["tick"]["n"] >= 0
    notes = " ".join(status["notes"])
    assert "made up" in notes
    assert "template provider" in notes


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api/v1/nothing", "/static/nothing.js", "/static/../server.py", "/docs/assets/../../x"],
)
def test_an_unknown_address_is_a_problem(live: Running, path: str) -> None:
    answer = live.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_a_problem(live: Running) -> None:
    answer = live.api("POST", "/leaderboard")
    assert (answer.status_code, answer.json()["status"]) == (405, 405)


def test_health_and_readiness_answer(live: Running) -> None:
    assert live.client.get("/healthz").text == "ok\n"
    until(lambda: live.client.get("/readyz").status_code == 200, "the engine runs")


def test_metrics_are_in_the_format_of_prometheus(live: Running, ranked: list[str]) -> None:
    del ranked
    answer = live.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {"arena_tick", "arena_tick_seconds", "arena_bots", "arena_price"} <= set(families)
    bots = {sample.labels["status"]: sample.value for sample in families["arena_bots"].samples}
    assert bots["active"] >= 5
    assert {sample.labels["symbol"] for sample in families["arena_price"].samples} == {"BTCUSDT", "ETHUSDT"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_elsewhere(live: Running, path: str) -> None:
    """Every asset is ours and is there, so that the pages work without a network."""
    page = live.client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    # The one foreign address is the link that the charts' licence asks for; nothing is loaded from there.
    foreign = re.findall(r"(?:https?:)?//(?!www\.w3\.org)[\w.-]+\.\w+/", page.text)
    assert set(foreign) <= {"https://www.tradingview.com/"}
    linked = re.findall(r'<a [^>]*href="(https?://[^"]+)"', page.text)
    assert len(linked) == len(foreign)
    assets = [found for found in re.findall(r'(?:src|href)="([^"#]+)"', page.text) if found not in linked]
    assert assets
    for asset in assets:
        answer = live.client.get(urljoin(path, asset))
        assert answer.status_code == 200, asset
        assert answer.content


def test_pages_hold_no_inline_script(live: Running) -> None:
    for path in ("/", "/docs"):
        page = live.client.get(path).text
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
        assert not re.search(r"\son\w+=", page)


METHODS = {"get", "post", "delete"}


def test_the_api_description_is_complete(live: Running) -> None:
    document = live.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    expected = {
        ("post", "/strategies"), ("get", "/strategies/{submission_id}"),
        ("get", "/strategies/{submission_id}/events"),
        ("post", "/bots"), ("post", "/bots/check"), ("get", "/bots"), ("get", "/bots/{bot_id}"),
        ("get", "/bots/{bot_id}/source"), ("get", "/bots/{bot_id}/trades"), ("get", "/bots/{bot_id}/orders"),
        ("get", "/bots/{bot_id}/equity"), ("get", "/bots/{bot_id}/logs"), ("post", "/bots/{bot_id}/pause"),
        ("post", "/bots/{bot_id}/resume"), ("delete", "/bots/{bot_id}"), ("get", "/leaderboard"),
        ("get", "/seasons"), ("get", "/prices"), ("get", "/status"), ("get", "/stream"),
    }  # fmt: skip
    found = {
        (m, path.removeprefix("/api/v1")) for path, item in document["paths"].items() for m in item if m in METHODS
    }
    assert expected <= found


def test_errors_are_described_as_the_problems_they_are(live: Running) -> None:
    assert "HTTPValidationError" not in live.client.get("/openapi.json").text


def _refers(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _refers(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refers(value)


def test_every_route_describes_its_answer(live: Running) -> None:
    document = live.client.get("/openapi.json").json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"].endswith("."), where
            good = {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
            assert good, where
            for code, answer in good.items():
                contents = answer.get("content", {})
                assert code == "204" or contents, where
                for kind, content in contents.items():
                    assert kind != "application/json" or content.get("schema"), where


def test_the_api_description_refers_to_nothing_that_is_missing(live: Running) -> None:
    document = live.client.get("/openapi.json").json()
    for reference in set(_refers(document)):
        node: Any = document
        assert reference.startswith("#/")
        for part in reference[2:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        assert node

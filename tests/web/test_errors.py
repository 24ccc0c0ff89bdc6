"""Errors of the API: as they are declared, in our words, and never a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from arena.core.text import csv_cell
from arena.web.text import json_bytes
from sandbox.language.rules import RULES
from tests.arenas import BUYER, Running, bot_source, running, settings_for

JSON = {"content-type": "application/json"}


def problem(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    detail = str(document["detail"])
    assert detail.endswith(".")
    return detail


# -- what is declared


@pytest.fixture(scope="module")
def described(live: Running) -> dict[str, Any]:
    document: dict[str, Any] = live.client.get("/openapi.json").json()
    return document


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_route_declares_its_errors_as_problems(described: dict[str, Any]) -> None:
    count = 0
    for path, method, operation in operations(described):
        declared = {status for status in operation["responses"] if status >= "4"}
        wanted = {"405", "421", "422", "429"} | ({"401", "403", "409", "413"} if method != "get" else set())
        wanted |= {"404"} if "{" in path or "season" in str(operation.get("parameters")) else set()
        assert wanted <= declared, (path, method)
        for status in declared:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"], (path, method)
        count += 1
    assert count >= 30
    assert "HTTPValidationError" not in json.dumps(described)


def test_every_read_of_a_season_takes_its_number(described: dict[str, Any]) -> None:
    without = {
        "/status",
        "/stream",
        "/models",
        "/claims-schema",
        "/key",
        "/users",
        "/activity",
        "/contract",
        "/webhooks",
    }
    # Named by their own ids, or by the season's number in the address.
    others = ("/strategies", "/jobs", "/me", "/seasons", "/tapes", "/backtests")
    for path, method, operation in operations(described):
        name = path.removeprefix("/api/v1")
        if method == "get" and name not in without and not name.startswith(others):
            assert "season" in [one["name"] for one in operation.get("parameters", ())], path


# -- methods and parameters


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/seasons", "GET, POST"), ("DELETE", "/api/v1/leaderboard", "GET"),
        ("GET", "/api/v1/session", "POST"), ("PATCH", "/api/v1/bots/x", "GET, DELETE"),
        ("PUT", "/api/v1/bots/x/verify", "GET, POST"), ("POST", "/static/style.css", "GET, HEAD"),
        ("POST", "/healthz", "GET"), ("PUT", "/api/v1/bots/a/trades", "GET"),
        ("PUT", "/api/v1/bots/check", "POST"), ("DELETE", "/api/v1/bots/x/bundle", "GET"),
        ("GET", "/api/v1/bots/x/pause", "POST"), ("DELETE", "/api/v1/bots/a/trades", "GET"),
        ("PUT", "/api/v1/jobs/x", "GET, DELETE"), ("GET", "/api/v1/seasons/close", "POST"),
    ],
)  # fmt: skip
def test_a_wrong_method_is_told_the_right_ones(live: Running, method: str, path: str, allowed: str) -> None:
    answer = live.client.request(method, path)
    assert "method" in problem(answer, 405)
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/leaderboard?limt=5", "cursor, limit, order, season, sort"), ("/bots?sort=rank", "season"),
        ("/status?season=1", "takes none"), ("/bots/x/trades?Limit=5", "cursor, limit, season"),
        ("/strategies/x?full=1", "takes none"), ("/jobs/x?full=1", "takes none"), ("/stream?from=1", "takes none"),
    ],
)  # fmt: skip
def test_an_unknown_query_parameter_is_refused_with_the_known_ones(live: Running, path: str, known: str) -> None:
    name = path.partition("?")[2].partition("=")[0]
    detail = problem(live.api("GET", path), 422)
    assert f"'{name}'" in detail
    assert known in detail


def test_an_unknown_query_parameter_of_a_write_is_refused_before_anything_is_done(live: Running, own_name: str) -> None:
    answer = live.api("POST", "/bots?author=Ann", json={"source": bot_source(name=own_name)})
    assert "'author'" in problem(answer, 422)
    assert live.api("GET", f"/bots/{own_name}").status_code == 404


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/leaderboard?limit=0", "'limit' must be at least 1."),
        ("/leaderboard?limit=1001", "'limit' must be at most 1000."),
        ("/leaderboard?limit=x", "'limit' must be a whole number."),
        ("/leaderboard?limit=1.5", "'limit' must be a whole number."),
        ("/leaderboard?order=up", "'order' must be one of 'asc' or 'desc'."),
        ("/trades?cursor=9223372036854775808", "'cursor' must be at most 9223372036854775807."),
        ("/bots/x/logs?cursor=99999999999999999999999999", "'cursor' must be at most 9223372036854775807."),
        ("/trades?cursor=-1", "'cursor' must be at least 0."),
        ("/seasons/0", "'number' must be at least 1."),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named_in_our_words(live: Running, path: str, words: str) -> None:
    assert problem(live.api("GET", path), 422) == words


@pytest.mark.parametrize("cursor", [2**63 - 1, 2**62, 0])
def test_the_largest_cursor_is_a_page(live: Running, cursor: int) -> None:
    assert set(live.get(f"/trades?cursor={cursor}")) == {"items", "next_cursor"}
    assert live.get(f"/leaderboard?cursor={2**63 - 1}")["items"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "'prompt' is missing."), ({"prompt": ""}, "'prompt' must have at least 1 characters."),
        ({"prompt": 1}, "'prompt' must be a text."), ({"prompt": "x", "more": 1}, "'more' is not known here."),
        ({"prompt": "x", "samples": 11}, "'samples' must be at most 10."), ([], "The body must be a JSON object."),
        ({"prompt": "x", "models": ["a"] * 11}, "'models' must have at most 10 entries."),
        ({"prompt": "x", "models": "a"}, "'models' must be a list."),
        ({"prompt": "x", "models": [""]}, "'models.0' must have at least 1 characters."),
        ({"samples": 0}, "'prompt' is missing. 'samples' must be at least 1."),
    ],
)  # fmt: skip
def test_a_wrong_body_is_told_in_our_words(live: Running, body: object, words: str) -> None:
    assert problem(live.api("POST", "/strategies", json=body), 422) == words


@pytest.mark.parametrize("path", ["/strategies", "/bots", "/bots/check", "/session"])
@pytest.mark.parametrize("body", [b"{", b"", b'{"source": "\xe9"}', b'{"prompt": "\\ud800"}', b"\xff\xfe{"])
def test_a_body_that_is_no_json_is_a_problem(live: Running, path: str, body: bytes) -> None:
    detail = problem(live.api("POST", path, content=body, headers=JSON), 422)
    assert "pydantic" not in detail
    assert "Input should" not in detail


# -- sources


def latin(name: str) -> bytes:
    return f"# café\n{bot_source(name=name)}".encode("latin-1")


@pytest.mark.parametrize("path", ["/bots", "/bots/check"])
@pytest.mark.parametrize("coding", [b"", b"# -*- coding: latin-1 -*-\n"])
def test_a_latin_1_file_is_refused_as_in_the_terminal(live: Running, path: str, coding: bytes) -> None:
    answer = live.api("POST", path, files={"file": ("bot.py", coding + latin("Latin"))})
    (violation,) = answer.json()["violations"]
    assert violation["message"].startswith(RULES["source-encoding"].sentence.partition("{")[0])
    assert violation["hint"] == RULES["source-encoding"].hint
    assert answer.status_code == {"/bots": 422, "/bots/check": 200}[path]


@pytest.mark.parametrize("path", ["/bots", "/bots/check"])
def test_json_in_latin_1_is_refused_with_the_same_sentence(live: Running, path: str) -> None:
    body = b'{"source": "# caf\xe9"}'
    answer = live.api("POST", path, content=body, headers=JSON)
    assert "not valid UTF-8" in problem(answer, 422)
    assert answer.json()["violations"][0]["rule"] == "source-encoding"


def test_a_check_takes_a_file_as_an_upload_does(live: Running, own_name: str) -> None:
    source = bot_source(name=own_name, symbols='["NOPE"]')
    by_file = live.api("POST", "/bots/check", files={"file": ("b.py", source.encode())})
    by_json = live.api("POST", "/bots/check", json={"source": source})
    answers = [by_file.json(), by_json.json()]
    for found in answers:
        # What a bot does is also tried on the season's last ticks, and those go on between the two.
        found.pop("report", None)
    assert answers[0] == answers[1]
    assert by_file.json()["accepted"]
    assert "NOPE is not in this market" in by_file.json()["warnings"][0]
    assert "'file'" in problem(live.api("POST", "/bots/check", files={"other": ("b.py", b"x")}), 422)
    more = live.api("POST", "/bots/check", files={"file": ("b.py", source.encode())}, data={"name": "x"})
    assert "'name'" in problem(more, 422)


@pytest.mark.parametrize("path", ["/bots", "/bots/check"])
def test_the_limit_of_a_source_is_named_truly(live: Running, path: str) -> None:
    source = bot_source(name="Long") + "# x\n" * (20 * 1024)
    answer = live.api("POST", path, json={"source": source})
    (violation,) = answer.json()["violations"]
    assert violation["message"] == "The source is larger than 64 KiB."
    larger = live.api("POST", path, json={"source": "#" * 300_000})
    assert "64 KiB" in problem(larger, 413)


# -- what is asked twice, or too late


def test_a_key_is_for_one_request_of_one_author(live: Running, own_name: str) -> None:
    def ask(key: str = own_name, **more: object) -> httpx2.Response:
        body = {"prompt": "buy 0.01 BTC when the price rises", "author": "Ann", **more}
        return live.api("POST", "/strategies", json=body, headers={"idempotency-key": key})

    first = ask()
    assert ask().json()["id"] == first.json()["id"]
    for other in ({"prompt": "sell all"}, {"name": "Another"}, {"samples": 2}, {"model": "template"}):
        assert "Idempotency-Key" in problem(ask(**other), 422)
    assert ask(author="Bob").json()["id"] != first.json()["id"]
    assert ask(author="Bob", prompt="sell all 0.01 BTC").status_code == 422
    group = ask(f"{own_name} group", samples=2)
    assert ask(f"{own_name} group", samples=2).json()["group_id"] == group.json()["group_id"]
    assert ask(f"{own_name} group#0").json()["id"] not in {item["id"] for item in group.json()["items"]}
    assert "Idempotency-Key" in problem(ask(f"{own_name} group", samples=3), 422)


@pytest.mark.system
def test_a_closed_season_takes_no_strategies(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        arena.api("POST", "/seasons/close")
        for path, body in (("/strategies", {"prompt": "buy"}), ("/bots", {"source": bot_source(BUYER)})):
            detail = problem(arena.api("POST", path, json=body), 409)
            assert "Season 1 is closed" in detail
            assert "arena season new" in detail
        assert arena.api("POST", "/bots/check", json={"source": bot_source(BUYER)}).json()["accepted"]
        arena.api("POST", "/seasons")
        arena.upload(bot_source(BUYER))


# -- texts


def test_json_is_valid_utf_8_whatever_it_holds() -> None:
    document = {"a\ud800": ["\udfff", 1, 0.1, None, True, float("nan")], "pair": "\ud83d\ude00", "b": {"c": "x"}}
    found = json.loads(json_bytes(document))
    assert found == {"a\ufffd": ["\ufffd", 1, 0.1, None, True, None], "pair": "\U0001f600", "b": {"c": "x"}}


@pytest.mark.parametrize("path", ["/bots/%ED%A0%80", "/bots/%FF%00", "/strategies/%00", "/jobs/%00", "/bots/%1b[2J"])
def test_strange_addresses_are_not_found(live: Running, path: str) -> None:
    answer = live.api("GET", path)
    detail = problem(answer, 404)
    assert "\x1b" not in detail
    assert "\x00" not in detail


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""), (0.1, "0.1"), (-1.5, "-1.5"), (7, "7"), ("plain", "plain"), ("=1+1", "'=1+1"), ("\t=1", "'=1"),
        ("\x1b[31mred", "[31mred"), ("a\rb\nc", "a | b | c"), (" +1", "' +1"),
        ("\u202e@x", "'@x"), ("a\x9b\ud800b", "ab"),
        ("\N{FULLWIDTH EQUALS SIGN}1", "'\N{FULLWIDTH EQUALS SIGN}1"), ("-", "'-"), ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_a_cell_of_csv_is_visible_text_and_no_formula(value: object, cell: str) -> None:
    assert csv_cell(value) == cell

"""Every answer has a request id, and what happens is counted for Prometheus."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from arena import log
from arena.submissions.states import Status
from sandbox.talk.verdict import Verdict
from tests.arenas import Running, bot_source, until

STRATEGY = "buy when the price crosses above its 20-tick EMA, sell below, 0.01 BTC"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(arena: Running) -> Samples:
    """Return every figure by its name and labels."""
    text = arena.client.get("/metrics").text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def at(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


# -- ids


@pytest.mark.parametrize("path", ["/", "/api/v1/leaderboard", "/api/v1/status", "/static/style.css", "/healthz"])
def test_every_answer_has_an_id_of_its_own(live: Running, path: str) -> None:
    first, second = (live.client.get(path).headers["x-request-id"] for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", first)
    assert first != second


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/bots/none", 404), ("POST", "/api/v1/leaderboard", 405), ("GET", "/api/v1/bots?x=1", 422)],
)
def test_a_problem_names_the_id_that_its_header_has(live: Running, method: str, path: str, status: int) -> None:
    answer = live.client.request(method, path, headers={"x-request-id": "of.the-proxy:1"})
    assert answer.status_code == status
    assert answer.headers.get_list("x-request-id") == ["of.the-proxy:1"]
    assert answer.json()["request_id"] == "of.the-proxy:1"


def test_an_id_that_is_none_is_replaced(live: Running) -> None:
    for given in ("", "two words", "x" * 65, "<script>", 'a"b'):
        answer = live.client.get("/api/v1/bots/none", headers={"x-request-id": given})
        assert answer.json()["request_id"] == answer.headers["x-request-id"] != given


def test_a_refusal_at_the_door_has_an_id(live: Running) -> None:
    answer = live.client.get("/api/v1/status", headers={"host": "elsewhere.example", "x-request-id": "at-the-door"})
    assert (answer.status_code, answer.json()["request_id"]) == (421, "at-the-door")


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """Lines of the arena's log as JSON, while a test runs."""
    found: list[dict[str, object]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(self.format(record)))

    handler = Kept()
    handler.setFormatter(log.formatter("json"))
    logger = logging.getLogger("arena")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_a_fault_of_ours_is_logged_under_the_id_that_its_answer_names(
    live: Running, lines: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = live.server.config.app.state.context  # type: ignore[union-attr]

    def broken() -> None:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(context, "status", broken)
    # Tests run several arenas in one process, whose lines name the season that was begun last.
    monkeypatch.setitem(log._facts, "season", 7)
    of_status = {"method": "GET", "route": "/api/v1/status", "status": "5xx"}
    before = at(samples(live), "arena_request_duration_seconds_count", **of_status)
    # The server closes the connection of a request that has failed so.
    address = f"{live.url}/api/v1/status"
    answer = httpx2.get(address, headers={"x-request-id": "find-me"}, trust_env=False, timeout=60)
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "find-me"
    line = until(lambda: next((one for one in lines if one.get("request_id") == "find-me"), None), "the line")
    assert line["event"] == "A request for /api/v1/status has failed"
    assert "RuntimeError: made to fail" in str(line["exception"])
    assert line["season"] == 7
    assert at(samples(live), "arena_request_duration_seconds_count", **of_status) == before + 1


def test_a_bots_line_names_the_bot_and_its_tick(live: Running, lines: list[dict[str, object]], own_name: str) -> None:
    live.admitted(bot_source("ctx.log('hello from here')", name=own_name))
    said = f"{own_name}: hello from here"
    line = until(lambda: next((x for x in lines if str(x["event"]).startswith(said)), None), "its line")
    assert line["bot"] == own_name
    assert isinstance(line["tick"], int)


# -- figures


def test_ticks_and_answers_are_timed_by_route(live: Running, own_name: str) -> None:
    before = samples(live)
    live.ticks(2)
    live.admitted(bot_source(name=own_name))
    assert live.api("GET", f"/bots/{own_name}").status_code == 200
    assert live.client.get("/no/such/page").status_code == 404
    assert live.client.request("TRACE", "/").status_code == 405
    live.get("/leaderboard")
    after = samples(live)
    name = "arena_request_duration_seconds_count"
    for labels in (
        {"method": "GET", "route": "/api/v1/bots/{bot_id}", "status": "2xx"},
        {"method": "GET", "route": "none", "status": "4xx"},
        {"method": "other", "route": "/", "status": "4xx"},
        {"method": "GET", "route": "/api/v1/leaderboard", "status": "2xx"},
    ):
        assert at(after, name, **labels) > at(before, name, **labels), labels
    assert at(after, "arena_tick_duration_seconds_count") >= at(before, "arena_tick_duration_seconds_count") + 2
    routes = {dict(labels)["route"] for found, labels in after if found == name}
    assert not [route for route in routes if own_name in route or "such" in route]


def test_strategies_are_counted_by_how_they_end(live: Running, own_name: str) -> None:
    before = samples(live)
    assert live.submit(STRATEGY, name=own_name)["status"] == "admitted"
    until(
        lambda: (
            at(samples(live), "arena_submissions_total", status="admitted")
            > at(before, "arena_submissions_total", status="admitted")
        ),
        "it is counted",
    )
    after = samples(live)
    for status in Status:
        assert ("arena_submissions_total", frozenset({("status", str(status))})) in after
    assert {dict(labels)["status"] for name, labels in after if name == "arena_queue"} == {
        "queued", "generating", "validating", "repairing", "testing",
    }  # fmt: skip


def test_what_bots_do_wrong_is_counted_by_verdict(live: Running, own_name: str) -> None:
    before = samples(live)
    assert {dict(labels)["verdict"] for name, labels in before if name == "arena_verdicts_total"} == {
        verdict.name for verdict in Verdict if verdict is not Verdict.OK
    }
    live.upload(bot_source("x = [0] * 200_000_000\nreturn x", name=own_name))
    until(
        lambda: (
            at(samples(live), "arena_verdicts_total", verdict="MEMORY")
            > at(before, "arena_verdicts_total", verdict="MEMORY")
        ),
        "its verdict is counted",
    )


def test_the_clock_the_process_and_the_disk_have_figures(live: Running) -> None:
    found = samples(live)
    states = {dict(labels)["state"]: value for (name, labels), value in found.items() if name == "arena_state"}
    assert sum(states.values()) == 1
    assert at(found, "arena_tick_interval_seconds") == pytest.approx(0.1)
    assert at(found, "process_resident_memory_bytes") > 1e7
    assert at(found, "arena_disk_free_bytes") > 0
    address = urlsplit(live.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as open_stream:
        open_stream.sendall(b"GET /api/v1/stream HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert open_stream.recv(15) == b"HTTP/1.1 200 OK"
        until(lambda: at(samples(live), "arena_streams") >= 1, "the stream is counted")


def test_every_script_of_the_page_is_a_program(tmp_path: Path) -> None:
    """A fault of syntax would leave a page without any of its script."""
    import shutil
    import subprocess

    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    folder = Path(__file__).parents[2] / "arena" / "web" / "static"
    scripts = sorted(str(path) for path in folder.glob("*.js"))
    program = tmp_path / "check.mjs"
    program.write_text(
        "import fs from 'node:fs'; import vm from 'node:vm';\n"
        "for (const path of process.argv.slice(2)) {\n"
        "  try { new vm.SourceTextModule(fs.readFileSync(path, 'utf-8'), { identifier: path }); }\n"
        "  catch (error) { console.log(`${path}: ${error}`); }\n"
        "}\nconsole.log('read');\n"
    )
    done = subprocess.run(
        [node, "--experimental-vm-modules", "--no-warnings", str(program), *scripts],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(scripts) > 20
    assert done.stdout == "read\n"

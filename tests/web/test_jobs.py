"""Long work over HTTP: asked for by a write, watched, cancelled, and done once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from arena.errors import NotFoundError, StoreError
from arena.store.jobs import JobStatus, add_job, fail_unfinished, get_job, job_with_key, key_of
from arena.web import jobs as web_jobs
from arena.web.jobs import Asker, Jobs, Told
from arena.web.problems import TooManyError
from tests.arenas import BUYER, PATIENCE, Running, bot_source, running, settings_for, until
from tests.conftest import TOKEN


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def jobs(database: Database, told: list[dict[str, Any]]) -> Iterator[Jobs]:
    made = Jobs(database, told.append)
    yield made
    made.stop()


def ended(database: Database, job_id: str) -> dict[str, Any]:
    def final() -> dict[str, Any] | None:
        row = get_job(database, job_id)
        return row if row["status"] in {"done", "failed", "cancelled"} else None

    return until(final, "the job has ended")


def test_work_is_done_with_its_progress_told(database: Database, jobs: Jobs, told: list[dict[str, Any]]) -> None:
    def work(tell: Told) -> dict[str, Any]:
        for step in range(100):
            tell(step / 100)
        return {"answer": 42}

    row = jobs.ask("sum", "x", {"n": 1}, work)
    assert (row["status"], row["progress"], row["result"]) == ("queued", 0.0, None)
    done = ended(database, row["id"])
    assert (done["status"], done["progress"], done["result"]) == ("done", 1.0, {"answer": 42})
    # It is told a moment after it is stored.
    until(lambda: told[-1].get("status") == "done", "the end is told")
    assert [one["status"] for one in told if "status" in one] == ["running", "done"]
    # Told in steps, not a hundred times.
    assert 10 <= len(told) <= 25


def test_the_same_work_is_done_once(database: Database, jobs: Jobs) -> None:
    row = jobs.ask("sum", "x", {"n": 1}, lambda _: {})
    ended(database, row["id"])
    assert jobs.ask("sum", "x", {"n": 1}, lambda _: {"other": 1})["id"] == row["id"]
    assert jobs.ask("sum", "x", {"n": 2}, lambda _: {})["id"] != row["id"]


def test_work_that_fails_says_why_and_may_be_asked_again(database: Database, jobs: Jobs) -> None:
    def refuse(_: Told) -> dict[str, Any]:
        raise StoreError("There is \x1b[31mno\x1b[0m record.")

    def break_down(_: Told) -> dict[str, Any]:
        raise ZeroDivisionError

    row = jobs.ask("sum", "x", {}, refuse)
    found = ended(database, row["id"])
    assert (found["status"], found["reason"]) == ("failed", "There is [31mno[0m record.")
    again = jobs.ask("sum", "x", {}, break_down)
    assert again["id"] != row["id"]
    assert "log says more" in ended(database, again["id"])["reason"]


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(database: Database, jobs: Jobs) -> None:
    begun, go_on, ran = threading.Event(), threading.Event(), []

    def work(tell: Told) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(PATIENCE)
        tell(0.5)
        ran.append("to the end")
        return {}

    first = jobs.ask("long", "x", {"n": 1}, work)
    second = jobs.ask("long", "x", {"n": 2}, work)
    assert begun.wait(PATIENCE)
    assert jobs.cancel(second["id"])["status"] == "cancelled"
    assert jobs.cancel(first["id"])["status"] == "cancelled"
    go_on.set()
    third = jobs.ask("long", "x", {"n": 3}, lambda _: {})
    assert ended(database, third["id"])["status"] == "done"
    assert ran == []
    assert jobs.cancel(third["id"])["status"] == "done"
    with pytest.raises(NotFoundError):
        jobs.cancel("nothing")


def test_only_so_many_jobs_wait(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_jobs, "MAX_QUEUED", 2)
    begun, go_on = threading.Event(), threading.Event()

    def work(_: Told) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(PATIENCE)
        return {}

    jobs.ask("long", "x", {"n": 0}, work)
    assert begun.wait(PATIENCE)
    rows = [jobs.ask("long", "x", {"n": number}, work) for number in (1, 2)]
    with pytest.raises(TooManyError):
        jobs.ask("long", "x", {"n": 3}, work)
    # One that is cancelled leaves its place to another.
    jobs.cancel(rows[0]["id"])
    jobs.ask("long", "x", {"n": 3}, work)
    with pytest.raises(TooManyError):
        jobs.ask("long", "x", {"n": 4}, work)
    go_on.set()


def test_one_user_does_not_fill_the_line_and_only_new_work_is_counted(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_jobs, "MAX_OF_OWNER", 2)
    begun, go_on, counted = threading.Event(), threading.Event(), []

    def work(_: Told) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(PATIENCE)
        return {}

    ada, bob = Asker("ada", lambda: counted.append("ada")), Asker("bob", lambda: counted.append("bob"))
    jobs.ask("long", "x", {"n": 0}, work)
    assert begun.wait(PATIENCE)
    for number in (1, 2, 1):
        jobs.ask("long", "x", {"n": number}, work, ada)
    with pytest.raises(TooManyError, match="of your jobs"):
        jobs.ask("long", "x", {"n": 3}, work, ada)
    jobs.ask("long", "x", {"n": 3}, work, bob)
    assert counted == ["ada", "ada", "bob"]
    go_on.set()


def test_a_database_that_is_away_for_a_while_stops_no_job(
    database: Database, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(web_jobs, "_AGAIN", 0.02)

    def rename(old: str, new: str) -> None:
        with database.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    def work(tell: Told) -> dict[str, Any]:
        rename("jobs", "jobs_away")
        tell(0.5)
        return {"answer": 42}

    first = jobs.ask("long", "x", {"n": 1}, work)
    until(lambda: "could not be stored yet" in caplog.text, "the end of the job to be tried")
    rename("jobs_away", "jobs")
    done = ended(database, first["id"])
    assert (done["status"], done["result"]) == ("done", {"answer": 42})
    second = jobs.ask("long", "x", {"n": 2}, lambda _: {})
    assert ended(database, second["id"])["status"] == "done"


def test_a_result_that_cannot_be_stored_is_a_failure_and_the_next_job_is_done(database: Database, jobs: Jobs) -> None:
    first = jobs.ask("long", "x", {"n": 1}, lambda _: {"answer": object()})
    second = jobs.ask("long", "x", {"n": 2}, lambda _: {})
    found = ended(database, first["id"])
    assert (found["status"], found["reason"]) == ("failed", "A fault of the arena; its log says more.")
    assert ended(database, second["id"])["status"] == "done"


def test_a_listener_that_breaks_down_does_not_stop_the_jobs(database: Database) -> None:
    broken: list[dict[str, Any]] = []

    def listen(data: dict[str, Any]) -> None:
        if not broken:
            broken.append(data)
            raise ZeroDivisionError

    jobs = Jobs(database, listen)
    jobs.ask("long", "x", {"n": 1}, lambda _: {})
    until(lambda: broken, "the first job")
    second = jobs.ask("long", "x", {"n": 2}, lambda _: {})
    assert ended(database, second["id"])["status"] == "done"
    jobs.stop()


def test_jobs_that_a_server_left_behind_have_failed(database: Database) -> None:
    row = add_job(database, "sum", "x", {"n": 1})
    done = add_job(database, "sum", "x", {"n": 2}, result={})
    fail_unfinished(database, "The server was started anew.")
    assert get_job(database, row["id"])["status"] == JobStatus.FAILED
    assert get_job(database, done["id"])["status"] == JobStatus.DONE
    assert job_with_key(database, key_of("sum", {"n": 1})) is None


def test_the_oldest_finished_jobs_are_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.store.jobs.KEPT", 3)
    waiting = add_job(database, "sum", "x", {})
    rows = [add_job(database, "sum", "x", {"n": number}, result={}) for number in range(6)]
    with pytest.raises(NotFoundError):
        get_job(database, rows[0]["id"])
    assert get_job(database, rows[-1]["id"])["status"] == JobStatus.DONE
    assert get_job(database, waiting["id"])["status"] == JobStatus.QUEUED


# -- proofs


def test_a_proof_is_a_job_with_an_address_and_a_stream(live: Running, own_name: str) -> None:
    seat = live.admitted(bot_source(BUYER, name=own_name))
    until(lambda: seat.score.trades, "a trade")
    assert live.api("GET", f"/bots/{seat.id}/verify").status_code == 404
    answer = live.api("POST", f"/bots/{own_name}/verify")
    assert answer.status_code == 202
    location = answer.headers["location"]
    assert location == f"/api/v1/jobs/{answer.json()['id']}"
    seen = []
    with live.client.stream("GET", f"{location}/events") as stream:
        seen = [json.loads(line[5:]) for line in stream.iter_lines() if line.startswith("data:")]
    assert seen[-1]["status"] == "done"
    assert [one["progress"] for one in seen] == sorted(one["progress"] for one in seen)
    job = live.client.get(location).json()
    assert job["result"]["status"] == "reproduced", job["result"]
    assert live.get(f"/bots/{own_name}/verify") == job["result"]
    assert live.api("DELETE", location.removeprefix("/api/v1")).json()["status"] == "done"


@pytest.mark.system
def test_a_proof_is_not_repeated_before_the_season_has_moved_on(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        seat = arena.admitted(bot_source(BUYER, name="Once"))
        until(lambda: seat.score.trades, "a trade")
        arena.api("POST", "/seasons/close")
        first = arena.api("POST", "/bots/Once/verify").headers["location"]
        assert arena.job(first.removeprefix("/api/v1"))["result"]["status"] == "reproduced"
        assert arena.api("POST", "/bots/once/verify").headers["location"] == first
        arena.api("POST", "/seasons")
        # Also of a season that is past, and that of the new one is another.
        assert arena.api("POST", "/bots/Once/verify?season=1").headers["location"] == first
        assert arena.get("/bots/Once/verify?season=1")["status"] == "reproduced"
        assert arena.api("GET", "/bots/Once/verify").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/bots/x/verify"), ("DELETE", "/jobs/x")])
def test_jobs_need_the_permission_to_write(guarded: Running, method: str, path: str) -> None:
    assert guarded.api(method, path).status_code == 401
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.api(method, path, headers=headers).status_code == 404


@pytest.mark.parametrize("path", ["/jobs/x", "/jobs/x/events"])
def test_an_unknown_job_is_not_found(live: Running, path: str) -> None:
    answer = live.api("GET", path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"

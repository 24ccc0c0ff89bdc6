"""Tournaments on the server: a job each, a table with an address, its files, and what is refused."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from markupsafe import escape

from arena.store.jobs import JobStatus, add_job, change_job
from arena.web import tournaments
from arena.web.jobs import CancelledJobError
from arena.web.tournaments import TOURNAMENT
from tests.arenas import BUYER, Running, bot_source

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def bots(live: Running) -> list[str]:
    """Return a bot that buys once and one that never trades, whose name is markup."""
    names = {"Round Buyer": BUYER, '<b>Idle & "calm"</b>': None}
    return [
        str(live.upload(bot_source(name=name) if body is None else bot_source(body, name=name))["bot_id"])
        for name, body in names.items()
    ]


@pytest.fixture(scope="module")
def played(live: Running, bots: list[str]) -> str:
    """Return a tournament of six short rounds that has been played."""
    answer = live.api("POST", "/tournaments", json=wanted(bots))
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert answer.headers["location"] == f"/api/v1/tournaments/{asked['id']}"
    job = live.job(f"/jobs/{asked['job_id']}")
    assert job["status"] == "done", job
    return str(asked["id"])


def wanted(bots: list[str], **more: Any) -> dict[str, Any]:
    return {"bots": bots, "tiers": ["trend", "thin"], "rounds": 6, "ticks": 60, "fee_bps": 2, **more}


def test_a_tournament_is_rated_and_has_an_address(live: Running, played: str) -> None:
    found = live.get(f"/tournaments/{played}")
    report = found["report"]
    assert report["mode"] == "lockstep"
    assert [each["regime"] for each in report["rounds"]] == ["trend", "thin"] * 3
    assert found["conduct"]["fee_bps"] == 2
    assert {row["name"] for row in report["table"]} == set(found["programs"])
    idle = next(row for row in report["table"] if row["name"].startswith("<b>"))
    assert (idle["mean_return_pct"], idle["rounds"]) == (0.0, 6)
    (listed,) = [row for row in live.get("/tournaments")["items"] if row["id"] == played]
    assert listed["rounds"] == 6
    page = live.client.get(f"/tournaments/{played}", headers=HTML)
    assert page.status_code == 200
    assert str(escape(report["words"])) in page.text
    assert "&lt;b&gt;Idle &amp; &#34;calm&#34;&lt;/b&gt;" in page.text
    assert "<b>Idle" not in page.text
    assert page.text.count("<circle cx") >= 2, "the intervals are drawn"
    assert f"/tournaments/{played}" in live.client.get("/tournaments", headers=HTML).text


def test_the_same_tournament_is_played_once(live: Running, bots: list[str], played: str) -> None:
    again = live.api("POST", "/tournaments", json=wanted(bots, tiers=["thin", "trend"]))
    assert again.json() == {"id": played, "address": f"/tournaments/{played}", "job_id": None}
    known = {"if-none-match": live.api("GET", f"/tournaments/{played}").headers["etag"]}
    assert live.api("GET", f"/tournaments/{played}", headers=known).status_code == 304


def test_its_files_can_be_downloaded_and_no_other(live: Running, played: str) -> None:
    files = {}
    for name in ("report.html", "table.csv", "tournament.json"):
        answer = live.api("GET", f"/tournaments/{played}/files/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment")
        again = live.api(
            "GET", f"/tournaments/{played}/files/{name}", headers={"if-none-match": answer.headers["etag"]}
        )
        assert again.status_code == 304
        files[name] = answer.text
    assert "<b>Idle" not in files["report.html"]
    assert len([*csv.DictReader(io.StringIO(files["table.csv"]))]) == 2
    for path in (f"/tournaments/{played}/files/run.json", "/tournaments/..%2f..%2flab", "/tournaments/0123456789ab"):
        assert live.api("GET", path).status_code == 404
    assert live.client.get("/tournaments/nothing", headers=HTML).status_code == 404


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"tiers": []}, 422, "choose market files, or made-up windows"),
        ({"tapes": ["../lab.db"]}, 404, "There is no market file"),
        ({"rounds": 200, "ticks": 5000, "tiers": ["crash", "crash"]}, 202, ""),
        ({"tiers": ["calmest"]}, 422, "calm"),
        ({"ticks": 59}, 422, "60"),
        ({"rounds": 201}, 422, "200"),
        ({"starting_cash": 0}, 422, "0"),
    ],
)
def test_what_cannot_be_played_is_said(
    live: Running, bots: list[str], more: dict[str, Any], status: int, words: str
) -> None:
    answer = live.api("POST", "/tournaments", json=wanted(bots, **more))
    assert answer.status_code == status
    assert words in answer.text
    if status == 202:
        assert live.api("DELETE", f"/jobs/{answer.json()['job_id']}").status_code == 200
        # What was cancelled says so at its address.
        shown = live.client.get(answer.json()["address"], headers=HTML)
        assert 'data-status="cancelled"' in shown.text


def test_one_bot_is_no_tournament(live: Running, bots: list[str]) -> None:
    answer = live.api("POST", "/tournaments", json=wanted([bots[0], "Round Buyer"]))
    assert answer.status_code == 422
    assert "two bots at least" in answer.json()["detail"]


def test_rows_are_named_as_the_season_names_its_bots(live: Running) -> None:
    source = bot_source(name="Twice the same")
    first, second = (live.upload(text)["bot_id"] for text in (source, f"{source}\n# as before\n"))
    shown = {live.get(f"/bots/{bot}")["name"] for bot in (first, second)}
    assert len(shown) == 2
    asked = live.api("POST", "/tournaments", json=wanted([first, second])).json()
    assert live.job(f"/jobs/{asked['job_id']}")["status"] == "done"
    found = live.get(f"/tournaments/{asked['id']}")
    assert {row["name"] for row in found["report"]["table"]} == shown
    assert set(found["conduct"]["bots"]) == shown


def test_what_takes_too_much_memory_is_refused_with_what_to_change(
    live: Running, bots: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tournaments, "MAX_CELLS", 359)
    asked = live.api("POST", "/tournaments", json=wanted(bots, seed=4)).json()
    job = live.job(f"/jobs/{asked['job_id']}")
    assert job["status"] == "failed"
    assert job["reason"].startswith("6 rounds of 60 ticks of 1 symbols are more than 359 prices: choose fewer")


def test_what_is_kept_is_shown_whatever_became_of_another_job(live: Running, bots: list[str]) -> None:
    asked = live.api("POST", "/tournaments", json=wanted(bots, seed=3)).json()
    assert live.job(f"/jobs/{asked['job_id']}")["status"] == "done"
    database = live.arena.database
    later = add_job(database, TOURNAMENT, asked["id"], {"asked_at": 0}, owner_id=None)
    change_job(database, later["id"], status=JobStatus.FAILED.value, reason="Played twice.")
    assert live.get(f"/tournaments/{asked['id']}")["id"] == asked["id"]
    assert "Played twice" not in live.client.get(asked["address"], headers=HTML).text


def test_one_is_played_after_the_other_and_one_that_waits_can_be_cancelled() -> None:
    with tournaments._alone(lambda _: None), pytest.raises(CancelledJobError), tournaments._alone(cancelled):
        raise AssertionError("it is not alone")
    with tournaments._alone(cancelled):
        pass


def cancelled(_: float) -> None:
    raise CancelledJobError

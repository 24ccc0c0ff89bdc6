"""Backtests on the server: market files, jobs, runs with addresses, and what strangers may not do."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from arena.engine.backtest.kept import FILES
from tests.arenas import BUYER, Running, bot_source, until

HTML = {"accept": "text/html"}


def market_text(ticks: int = 60, start: float = 100.0) -> str:
    rows = [f"{1_767_225_600 + 60 * n},BTCUSDT,{start + n % 7}" for n in range(ticks)]
    return "time,symbol,price\n" + "\n".join(rows) + "\n"


def uploaded(live: Running, name: str, text: str) -> dict[str, Any]:
    answer = live.api("POST", f"/tapes?name={name}", content=text.encode())
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def played(live: Running, **wanted: Any) -> str:
    """Ask for a backtest, wait until it is kept, and return its id."""
    answer = live.api("POST", "/backtests", json=wanted)
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    if asked["job_id"] is not None:
        job = live.job(f"/jobs/{asked['job_id']}")
        assert job["status"] == "done", job
    return str(asked["id"])


@pytest.fixture(scope="module")
def tape(live: Running) -> str:
    return str(uploaded(live, "prices.csv", market_text())["name"])


def test_a_backtest_is_played_in_lockstep_and_has_an_address(live: Running, own_name: str, tape: str) -> None:
    bot = live.upload(bot_source(BUYER, name=own_name))["bot_id"]
    run = played(live, bots=[bot], tape=tape, fee_bps=10, starting_cash=5000)
    found = live.get(f"/backtests/{run}")
    assert found["report"]["mode"] == "lockstep"
    assert found["report"]["rules"]["fee_bps"] == 10
    (row,) = found["report"]["bots"]
    assert (row["name"], row["trades"], row["status"]) == (own_name, 1, "ok")
    # 0.001 BTC is bought at tick 1 for 101 with 10 bps, and is worth 100 + 59 % 7 at the end.
    assert row["equity"] == pytest.approx(5000 - 0.101 * 1.001 + 0.001 * 103)
    page = live.client.get(f"/backtests/{run}", headers=HTML)
    assert page.status_code == 200
    assert f"<bdi>{own_name}</bdi>" in page.text
    assert 'id="data"' in page.text
    assert own_name in live.client.get("/backtest", headers=HTML).text


def test_the_same_backtest_is_played_once_and_another_is_another(live: Running, own_name: str, tape: str) -> None:
    bot = live.upload(bot_source(name=own_name))["bot_id"]
    run = played(live, bots=[bot], tape=tape)
    again = live.api("POST", "/backtests", json={"bots": [bot, own_name], "tape": tape}).json()
    assert again == {"id": run, "address": f"/backtests/{run}", "job_id": None}
    assert played(live, bots=[bot], tape=tape, seed=1) != run


def test_every_file_of_a_run_can_be_downloaded_and_no_other(live: Running, own_name: str, tape: str) -> None:
    bot = live.upload(bot_source(BUYER, name=own_name))["bot_id"]
    run = played(live, bots=[bot], tape=tape)
    for name in FILES:
        answer = live.api("GET", f"/backtests/{run}/files/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(live.api("GET", f"/backtests/{run}/files/run.json").content)["id"] == run
    for name in ("page.json", "..%2f..%2flab.db", "%2e%2e", "nothing"):
        assert live.api("GET", f"/backtests/{run}/files/{name}").status_code == 404


@pytest.mark.parametrize("name", ["../lab.db", "/etc/passwd", "uploads/../../lab.db", "nothing.csv", "uploads"])
def test_no_name_leads_out_of_the_folder(live: Running, own_name: str, name: str) -> None:
    bot = live.upload(bot_source(name=own_name))["bot_id"]
    answer = live.api("POST", "/backtests", json={"bots": [bot], "tape": name})
    assert answer.status_code == 404
    assert "no market file" in answer.json()["detail"]


def test_an_upload_keeps_a_safe_name_and_links_are_no_market_files(live: Running, tmp_path: Path) -> None:
    found = uploaded(live, "..%2F..%2Fmy prices%3B.csv", market_text(5))
    assert found["name"].startswith("uploads/")
    assert found["name"].endswith("-my-prices-.csv")
    secret = tmp_path / "secret.csv"
    secret.write_text(market_text(5))
    folder = Path(live.settings.data_dir)
    (folder / "link.csv").symlink_to(secret)
    assert "link.csv" not in {tape["name"] for tape in live.get("/tapes")["items"]}


@pytest.mark.parametrize(("name", "body", "said"), [("x.exe", b"MZ", "should end in"), ("x.csv", b"", "empty")])
def test_an_upload_that_is_no_market_file_is_refused(live: Running, name: str, body: bytes, said: str) -> None:
    answer = live.api("POST", f"/tapes?name={name}", content=body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_an_upload_beyond_the_limit_is_refused(live: Running) -> None:
    answer = live.api("POST", "/tapes?name=big.csv", content=bytes((32 << 20) + 1))
    assert answer.status_code == 413
    assert "DATA_DIR" in answer.json()["detail"]


def test_a_market_file_that_cannot_be_read_fails_in_a_sentence(live: Running, own_name: str) -> None:
    bot = live.upload(bot_source(name=own_name))["bot_id"]
    tape = uploaded(live, "odd.csv", "<html>not prices</html>\n")["name"]
    asked = live.api("POST", "/backtests", json={"bots": [bot], "tape": tape}).json()
    job = live.job(f"/jobs/{asked['job_id']}")
    assert job["status"] == "failed"
    assert "odd.csv has a header and no rows" in job["reason"]
    page = live.client.get(asked["address"], headers=HTML)
    assert page.status_code == 200
    assert "failed" in page.text
    assert live.api("GET", f"/backtests/{asked['id']}").status_code == 202


def test_too_much_work_is_refused_in_a_sentence(live: Running, own_name: str) -> None:
    bot = live.upload(bot_source(name=own_name))["bot_id"]
    text = "time,symbol,price\n1767225600,BTCUSDT,1\n1798761600,BTCUSDT,2\n"
    tape = uploaded(live, "long.csv", text)["name"]
    asked = live.api("POST", "/backtests", json={"bots": [bot], "tape": tape, "interval": 1}).json()
    job = live.job(f"/jobs/{asked['job_id']}")
    assert job["status"] == "failed"
    assert "longer" in job["reason"]
    few = played(live, bots=[bot], tape=tape, interval=86_400)
    assert live.get(f"/backtests/{few}")["report"]["ticks"] == 366


@pytest.mark.parametrize(
    "wrong",
    [
        {"bots": []}, {"bots": ["x"] * 9}, {"fee_bps": -1}, {"fee_bps": "NaN"}, {"starting_cash": 0},
        {"interval": 0}, {"seed": -1}, {"more": 1},
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused(live: Running, tape: str, wrong: dict[str, Any]) -> None:
    answer = live.api("POST", "/backtests", json={"bots": ["x"], "tape": tape, **wrong})
    assert answer.status_code == 422


def test_a_backtest_can_be_cancelled(live: Running, own_name: str) -> None:
    bot = live.upload(bot_source("for n in range(20000):\n    pass", name=own_name))["bot_id"]
    tape = uploaded(live, "slow.csv", market_text(20_000))["name"]
    asked = live.api("POST", "/backtests", json={"bots": [bot], "tape": tape}).json()
    until(lambda: live.get(f"/jobs/{asked['job_id']}")["status"] == "running", "the backtest runs", 60)
    assert live.api("DELETE", f"/jobs/{asked['job_id']}").json()["status"] == "cancelled"
    # The next one is played: nothing of the cancelled one holds it up.
    small = uploaded(live, "small.csv", market_text(10))["name"]
    played(live, bots=[bot], tape=small)


def test_hostile_names_and_logs_stand_in_the_page_as_text(live: Running, tape: str) -> None:
    name = "</script><img src=x onerror=alert(1)>"
    bot = live.upload(bot_source("ctx.log('</script><b>x')\nraise ValueError('<i>')", name=name))["bot_id"]
    run = played(live, bots=[bot], tape=tape)
    page = live.client.get(f"/backtests/{run}", headers=HTML).text
    assert "<img src=x" not in page
    assert page.count("</script>") == page.count("<script")
    live.api("DELETE", f"/bots/{bot}")


def test_runs_of_the_command_line_are_not_shown(live: Running, own_name: str, tape: str) -> None:
    bot = live.upload(bot_source(name=own_name))["bot_id"]
    run = played(live, bots=[bot], tape=tape)
    head = Path(live.settings.runs_dir) / run / "run.json"
    document = json.loads(head.read_bytes())
    head.write_text(json.dumps({**document, "by": "command"}))
    assert live.api("GET", f"/backtests/{run}").status_code == 404
    assert live.client.get(f"/backtests/{run}", headers=HTML).status_code == 404
    assert live.api("GET", f"/backtests/{run}/files/run.json").status_code == 404
    assert run not in {item["id"] for item in live.get("/backtests")["items"]}


def test_a_guarded_arena_takes_no_files_and_plays_nothing_without_its_token(guarded: Running) -> None:
    assert guarded.api("POST", "/tapes?name=x.csv", content=b"time,symbol,price\n").status_code == 401
    assert guarded.api("POST", "/backtests", json={"bots": ["x"], "tape": "x.csv"}).status_code == 401


@pytest.mark.parametrize(("name", "taken"), [
    ("prices.csv", True), ("X.CSV.GZ", True), (".csv", True), ("行情.jsonl", True), ("a.zip", True), ("a/b.csv", True),
    ("prices.exe", False), ("csv", False), ("a.csv.rar", False), ("a.b2", False),
])  # fmt: skip
def test_the_document_says_which_names_of_files_are_taken(live: Running, name: str, *, taken: bool) -> None:
    parameters = live.client.get("/openapi.json").json()["paths"]["/api/v1/tapes"]["post"]["parameters"]
    (pattern,) = [one["schema"]["pattern"] for one in parameters if one["name"] == "name"]
    assert bool(re.search(pattern, name)) == taken
    answer = live.api("POST", "/tapes", params={"name": name}, content=b"x")
    assert answer.status_code == (201 if taken else 422), answer.text


def test_a_file_that_cannot_be_read_does_not_tell_where_the_server_keeps_it(live: Running, own_name: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("1.csv", "")
    bot = live.upload(bot_source(name=own_name))["bot_id"]
    tape = live.api("POST", "/tapes?name=empty.zip", content=packed.getvalue()).json()["name"]
    job = live.job(f"/jobs/{live.api('POST', '/backtests', json={'bots': [bot], 'tape': tape}).json()['job_id']}")
    assert job["status"] == "failed"
    assert job["reason"].startswith(f"{tape} is an empty zip file")

"""A record is proved over the web and from the command line, from the database or from its bundle."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from pathlib import Path

import pytest

from tests.arenas import bot_source, running, settings_for, until
from tests.cli.conftest import Run

EAGER = 'import random\nctx.submit_order("BTCUSDT", random.choice(["BUY", "SELL"]), 0.001)'


@pytest.mark.system
def test_a_record_is_proved_marked_and_carried_away(tmp_path: Path, run: Run) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        seat = arena.admitted(bot_source(EAGER, name="Eager"))
        until(lambda: seat.score.trades > 5, "some trades")
        assert arena.get("/bots/Eager")["verified"] is None
        answer = arena.api("GET", "/bots/Eager/verify")
        assert answer.status_code == 404
        assert "POST /api/v1/bots/" in answer.json()["detail"]
        proof = arena.proof("Eager")
        assert (proof["status"], proof["findings"]) == ("reproduced", [])
        assert proof["compared"]["trades"] > 5
        (item,) = arena.get("/leaderboard")["items"]
        assert (item["verified"], item["verified_tick"]) == ("reproduced", proof["tick"])
        answer = arena.api("GET", "/bots/Eager/bundle")
        assert answer.headers["content-type"] == "application/zip"
        assert arena.api("GET", "/bots/Nobody/verify").status_code == 404
    bundle = tmp_path / "eager.zip"
    bundle.write_bytes(answer.content)
    found = run("verify", bundle, "--json").json()
    assert (found["bot"], found["status"]) == ("Eager", "reproduced")

    database = tmp_path / "lab.db"
    assert run("export", "Eager", "--out", tmp_path / "again.zip", "--db", database).code == 0
    assert run("verify", tmp_path / "again.zip").out.startswith("Eager: reproduced up to tick")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE trades SET price = price + 1 WHERE id = (SELECT min(id) FROM trades)")
    done = run("verify", "Eager", "--db", database, "--season", "1")
    assert done.code == 1
    assert "trades row 1, id " in done.out
    assert "price is recorded as" in done.out
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT verified_words FROM entries").fetchall() == [("differs",)]
    with running(settings_for(tmp_path), tmp_path) as arena:
        shown = arena.get("/bots/Eager/verify?season=1")
        assert shown["status"] == "differs"
        assert "price is recorded as" in shown["findings"][0]


def test_what_is_not_there_is_said(tmp_path: Path, run: Run) -> None:
    assert run("verify", "Eager", "--db", tmp_path / "none.db").code == 4
    wrong = tmp_path / "wrong.zip"
    wrong.write_bytes(b"no archive")
    done = run("verify", wrong)
    assert done.code == 1
    assert "not a bundle" in done.err


@pytest.mark.system
def test_a_hostile_bundle_ends_in_a_sentence(tmp_path: Path, run: Run) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena:
        arena.admitted(bot_source(EAGER, name="Eager"))
        arena.ticks(3)
        whole = arena.api("GET", "/bots/Eager/bundle").content
    hostile = tmp_path / "hostile"
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(hostile, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b'"bot_name": "Eager"', b'"bot_name": "E\\u001b[2J"'))
    done = run("verify", hostile)
    assert (done.code, done.out) == (1, "")
    assert "not a bundle" in done.err
    assert "the bot's name cannot be right" in " ".join(done.err.split())
    assert "\x1b" not in done.err

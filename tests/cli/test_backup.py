"""A backup of a running arena is whole, and a season goes on from it."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from arena.store.database import open_database, upgrade
from arena.store.moved import equity_batches, tick_batches
from arena.store.queries import season_by_number
from tests.arenas import BUYER, bot_source, running, settings_for, until
from tests.cli.conftest import Run


def test_a_season_goes_on_from_a_backup_that_was_made_while_it_ran(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with running(settings_for(first), first) as arena:
        seat = arena.admitted(bot_source(BUYER, name="Kept"))
        until(lambda: seat.score.trades, "a trade")
        done = run("db", "backup", str(second), "--db", str(first / "lab.db"))
        assert done.code == 0, done.err
        assert done.out.startswith(f"{second / 'lab.db'}: ")
        assert "arena.key is no part of it" in done.err
        season, trade = arena.arena.engine.season.id, arena.get("/bots/Kept/trades")["items"][-1]
        # The arena goes on as if nothing had been.
        arena.ticks(3)
        after = arena.arena.engine.market.n
    assert [path.name for path in second.iterdir()] == ["lab.db"]
    with sqlite3.connect(second / "lab.db") as copy:
        (tick,) = copy.execute("SELECT max(n) FROM ticks").fetchone()
    copy.close()
    assert 0 < tick < after
    (second / "arena.key").write_bytes((first / "arena.key").read_bytes())
    with running(settings_for(second), second) as restored:
        assert restored.arena.engine.season.id == season
        assert restored.get("/bots/Kept/trades")["items"][-1] == trade
        until(lambda: restored.arena.engine.market.n > tick, "the season goes on")
        assert restored.seat("Kept").account.positions
        assert restored.proof("Kept")["status"] == "reproduced"


def test_a_backup_has_the_archive_that_belongs_to_it(run: Run, played: Path, tmp_path: Path) -> None:
    assert run("season", "archive", "1", "--db", str(played)).code == 0
    played.chmod(0o600)
    out = tmp_path / "elsewhere" / "kept.db"
    out.parent.mkdir()
    done = run("db", "backup", str(out), "--db", str(played))
    assert done.code == 0, done.err
    assert "2 archive files" in done.out
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    # The original is lost, with all that lay beside it.
    for path in sorted(tmp_path.glob("own.*"), reverse=True):
        for inner in sorted(path.rglob("*"), reverse=True) if path.is_dir() else ():
            inner.rmdir() if inner.is_dir() else inner.unlink()
        path.rmdir() if path.is_dir() else path.unlink()
    database = open_database(f"sqlite:///{out}")
    season = season_by_number(database, 1)["id"]
    assert [row["n"] for rows in tick_batches(database, season) for row in rows] == list(range(50))
    assert sum(len(rows) for rows in equity_batches(database, season)) == 5
    database.dispose()


def test_a_database_of_an_older_version_is_backed_up_before_it_is_brought_up_to_date(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with sqlite3.connect(old) as made:
        made.execute("CREATE TABLE trades (id INTEGER PRIMARY KEY)")
    made.close()
    done = run("db", "backup", str(tmp_path / "copy.db"), "--db", str(old))
    assert done.code == 0, done.err


def test_a_backup_overwrites_nothing_and_says_what_is_wrong(
    run: Run, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there.db"
    there.write_bytes(b"an older backup")
    for words, sentence, code in (
        ([str(there), "--db", str(played)], "is there already", 1),
        ([str(tmp_path / "no" / "x.db"), "--db", str(played)], "There is no folder", 1),
        ([str(tmp_path / "x.db"), "--db", str(tmp_path / "none.db")], "There is no database", 4),
        ([str(tmp_path / "x.db"), "--db", str(there)], "The database cannot be opened", 1),
    ):
        done = run("db", "backup", *words)
        assert (done.code, sentence in done.err) == (code, True), done.err
    assert there.read_bytes() == b"an older backup"
    assert run("season", "archive", "1", "--db", str(played)).code == 0
    done = run("db", "backup", str(tmp_path / "own.sqlite"), "--db", str(played))
    assert done.code == 1
    assert "give the backup another name" in done.err
    assert not (tmp_path / "own.sqlite").exists()
    monkeypatch.setenv("DATABASE_URL", "postgresql://arena:very-secret@db.example/arena")
    done = run("db", "backup", str(tmp_path / "x.dump"))
    assert done.code == 1
    assert "very-secret" not in done.err
    told = " ".join(done.err.split())
    assert f"pg_dump --format=custom --file={tmp_path / 'x.dump'} 'postgresql://arena:***@db.example/arena'" in told
    assert run("db", "backup", str(tmp_path / "x.db"), "--db", str(played)).code == 0


def test_a_copy_that_is_no_whole_database_is_no_backup(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    engine = open_database(f"sqlite:///{broken}")
    upgrade(engine)
    engine.dispose()
    data = bytearray(broken.read_bytes())
    page = 4096
    data[3 * page : 3 * page + 200] = b"\xff" * 200
    broken.write_bytes(bytes(data))
    done = run("db", "backup", str(tmp_path / "copy.db"), "--db", str(broken))
    assert done.code == 1
    assert "arena: " in done.err
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "copy.db.part").exists()

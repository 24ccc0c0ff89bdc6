"""A tick is written once, whatever the database does in the middle of it."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import event, text

from arena.engine.live.journal import Journal
from arena.errors import StoreError
from arena.store.database import open_database
from arena.store.lease import Lease
from arena.store.recorder import TickWrites
from arena.store.seasons import resume_or_open
from tests.engine.conftest import plan_of


def tick(season_id: str, n: int) -> TickWrites:
    return TickWrites(tick={"season_id": season_id, "n": n, "time": float(n), "prices": {}, "conditions": None})


def numbers(database: Database) -> list[int]:
    with database.connect() as connection:
        return [row[0] for row in connection.execute(text("SELECT n FROM ticks ORDER BY n"))]


@pytest.fixture
def season_id(database: Database) -> str:
    return resume_or_open(database, plan_of(), runtime={})[0].id


def test_a_commit_that_took_effect_and_was_then_cut_off_is_not_written_again(
    database: Database, season_id: str
) -> None:
    journal = Journal(database)
    broken: list[bool] = [True]

    def cut(connection: object) -> None:
        del connection
        if broken.pop():
            raise OSError("the connection was lost")

    assert journal.write(tick(season_id, 0)) is None
    broken.append(True)
    event.listen(database, "commit", cut)
    # SQLAlchemy tells of a commit just before the driver's: this one is lost before it takes effect.
    assert "lost" in str(journal.write(tick(season_id, 1)))
    broken.append(False)
    assert journal.write(tick(season_id, 1)) is None
    event.remove(database, "commit", cut)
    # And this one took effect, but nobody was told.
    journal._in_doubt = True
    assert journal.write(tick(season_id, 1)) is None
    assert numbers(database) == [0, 1]


def test_a_tick_that_somebody_else_has_written_ends_the_engine_in_words(database: Database, season_id: str) -> None:
    Journal(database).write(tick(season_id, 0))
    with pytest.raises(StoreError, match="refuses what this server writes"):
        Journal(database).write(tick(season_id, 0))


def test_a_database_that_drops_every_connection_costs_a_second_and_no_tick(
    database: Database, season_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect.name == "sqlite":
        pytest.skip("a file has no connections to drop")
    # A busy database server takes a while to end a session, and to give its lock back.
    monkeypatch.setattr("arena.store.lease._PATIENCE", 60.0)
    lease = Lease(database)
    journal = Journal(database, lease=lease)
    other = open_database(database.url.render_as_string(hide_password=False))
    for n in range(6):
        with other.begin() as connection:
            connection.execute(text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid != pg_backend_pid() AND datname = current_database()"
            ))  # fmt: skip
        while journal.write(tick(season_id, n)) is not None:
            pass
    assert numbers(other) == list(range(6))
    lease.release()
    other.dispose()

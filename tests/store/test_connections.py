"""The clock's connections are its own: readers that hold all of theirs do not keep a tick from being written."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as NoConnectionError

from arena.store.database import open_database, own_connections, upgrade
from arena.store.recorder import Recorder, TickWrites
from tests.arenas import running, settings_for
from tests.store.conftest import Books


def use_up(stack: ExitStack, database: object) -> None:
    """Hold every connection that an engine may give, each in the middle of a read."""
    for _ in range(database.pool.size() + database.pool._max_overflow):  # type: ignore[attr-defined]
        connection = stack.enter_context(database.connect())  # type: ignore[attr-defined]
        connection.execute(text("SELECT 1"))


def test_a_tick_is_written_while_readers_hold_every_connection(books: Books) -> None:
    own = own_connections(books.database)
    writes = TickWrites(tick={"season_id": books.season.id, "n": 0, "time": 1.0, "prices": {}, "conditions": None})
    with ExitStack() as stack:
        use_up(stack, books.database)
        books.database.pool._timeout = 0.05  # type: ignore[attr-defined]
        with pytest.raises(NoConnectionError):
            books.database.connect()
        Recorder(own).record(writes)
    assert Recorder(own).holds(writes)
    own.dispose()


def test_a_database_in_memory_is_its_one_connections_own() -> None:
    database = open_database("sqlite://")
    upgrade(database)
    assert own_connections(database) is database


@pytest.mark.system
def test_the_clock_goes_on_while_readers_hold_every_connection(tmp_path: Path) -> None:
    with running(settings_for(tmp_path), tmp_path) as arena, ExitStack() as stack:
        use_up(stack, arena.arena.database)
        arena.ticks(3)

"""One server to a database: the second is refused in words, and may come once the first is gone."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from arena.errors import StoreError
from arena.store import lease as lease_module
from arena.store.database import open_database
from arena.store.lease import Lease


def wait_for_lease(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set how long a lease is waited for: a database server that is busy takes a while to end a session."""
    patch.setattr(lease_module, "_PATIENCE", seconds)


def test_a_second_server_is_refused_in_words_until_the_first_has_gone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database.url.render_as_string(hide_password=False)
    first = Lease(database)
    second = open_database(url)
    wait_for_lease(monkeypatch, 0.2)
    with pytest.raises(StoreError, match="Another arena server is using this database"):
        Lease(second)
    first.renew()
    first.release()
    wait_for_lease(monkeypatch, 60.0)
    lease = Lease(second)
    lease.release()
    second.dispose()


def test_a_lease_that_was_lost_with_its_connection_is_taken_again_or_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect.name == "sqlite":
        pytest.skip("a file's lock is lost with the process only")
    url = database.url.render_as_string(hide_password=False)
    first, other = Lease(database), open_database(url)
    wait_for_lease(monkeypatch, 60.0)
    _end_other_sessions(other)
    first.renew()
    _end_other_sessions(other)
    usurper = Lease(other)
    wait_for_lease(monkeypatch, 0.2)
    with pytest.raises(StoreError, match="Another arena server"):
        first.renew()
    usurper.release()
    first.release()
    other.dispose()


def _end_other_sessions(database: Database) -> None:
    """End all sessions but our own, as a database server that restarts does."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid != pg_backend_pid() AND datname = current_database()"
    )
    with database.begin() as connection:
        connection.execute(text(query))

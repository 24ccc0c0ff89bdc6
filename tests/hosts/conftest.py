"""Engines whose bots are played by other hosts, ticked by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from arena.engine.live.seat_host import SeatHost
from arena.engine.live.sources import TickSource
from arena.hosts.here import HostHere
from arena.store.database import open_database
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.engine.conftest import Hand, plan_of

ROOM = 1 << 40


def patient(uid_base: int) -> Pool:
    """Return a pool so patient that no load of the machine is taken for a bot's fault."""
    return Pool(
        "arena.runtime.bot:BotRuntime",
        Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, load_wall=60.0, wall_backstop=90.0, uid_base=uid_base),
    )


@pytest.fixture(scope="session")
def head_pool() -> Iterator[Pool]:
    """The pool of the machine that has the clock."""
    found = patient(41_000)
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def host_pools() -> Iterator[list[Pool]]:
    """The pools of three other machines."""
    with ExitStack() as ends:
        found = [patient(42_000 + 1_000 * place) for place in range(3)]
        for each in found:
            each.start()
            ends.callback(each.stop)
        yield found


Begin = Callable[..., Hand]


@pytest.fixture
def begin(migrated_sqlite: Path, tmp_path: Path, head_pool: Pool) -> Iterator[Begin]:
    """Begin seasons of the same market, each over a database of its own and with these hosts."""
    with ExitStack() as ends:

        def make(source: TickSource, hosts: Sequence[SeatHost] = (), minutes: float = 0.0) -> Hand:
            path = tmp_path / f"{len(list(tmp_path.glob('*.db')))}.db"
            shutil.copy(migrated_sqlite, path)
            database = open_database(f"sqlite:///{path}")
            ends.callback(database.dispose)
            hand = Hand(database, head_pool, lambda _: source, plan_of(fee_bps=10.0))
            ends.callback(lambda: hand.engine.stop())
            if minutes:
                hand.snapshot_minutes = minutes
                hand.restart()
            for host in hosts:
                hand.engine.hosts.join(host)
            return hand

        yield make


@pytest.fixture
def here(host_pools: list[Pool]) -> Iterator[list[HostHere]]:
    """Three hosts in this process."""
    found = [HostHere(f"host-{place}", pool, ROOM) for place, pool in enumerate(host_pools)]
    yield found
    for each in found:
        each.close("the test is over")

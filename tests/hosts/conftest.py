"""Engines whose bots are played by other hosts, ticked by hand."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database

from arena.engine.live.seat_host import SeatHost
from arena.engine.live.sources import TickSource
from arena.hosts.agent import HostAgent
from arena.hosts.here import HostHere
from arena.hosts.link import HostLink
from arena.hosts.listener import HostListener
from arena.store.database import open_database
from arena.store.hosts import add_host
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.arenas import until
from tests.engine.conftest import Hand, plan_of

ROOM = 1 << 40
Begin = Callable[..., Hand]


def patient(uid_base: int, on_zygote_death: Callable[[], object] | None = None) -> Pool:
    """Return a pool so patient that no load of the machine is taken for a bot's fault."""
    return Pool(
        "arena.runtime.bot:BotRuntime",
        Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, load_wall=60.0, wall_backstop=90.0, uid_base=uid_base),
        None if on_zygote_death is None else lambda: on_zygote_death() and None,
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


def _stop(hand: Hand) -> None:
    # Its engine may be another by then.
    hand.engine.stop()


@pytest.fixture
def begin(migrated_sqlite: Path, tmp_path: Path, head_pool: Pool) -> Iterator[Begin]:
    """Begin seasons of the same market, each over a database of its own and with these hosts."""
    with ExitStack() as ends:

        def make(source: TickSource, hosts: Sequence[SeatHost] = (), minutes: float = 0.0, delay: int = 1) -> Hand:
            path = tmp_path / f"{len(list(tmp_path.glob('*.db')))}.db"
            shutil.copy(migrated_sqlite, path)
            database = open_database(f"sqlite:///{path}")
            ends.callback(database.dispose)
            hand = Hand(database, head_pool, lambda _: source, plan_of(fee_bps=10.0, delay_ticks=delay))
            ends.callback(partial(_stop, hand))
            if minutes:
                hand.snapshot_minutes = minutes
                hand.restart()
            for host in hosts:
                hand.engine.hosts.join(host)
            return hand

        yield make


class Machines:
    """Machines that play bots, each kind as the engine gets it."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self.pools = pools

    def join(self, count: int) -> list[SeatHost]:
        """Return so many hosts that have joined."""
        return [HostHere(f"host-{place}", pool, ROOM) for place, pool in enumerate(self.pools[:count])]

    def close(self) -> None:
        """End them all."""


class Agents(Machines):
    """Machines that connect to a listener on loopback."""

    def __init__(self, pools: Sequence[Pool], database: Database) -> None:
        super().__init__(pools)
        self.database = database
        self.links: dict[str, HostLink] = {}
        self.gone: list[tuple[str, str]] = []
        self.agents: list[HostAgent] = []
        self.threads: list[threading.Thread] = []
        self.drained: list[str] = []
        self.closed = False
        self.listener = HostListener(
            database, ("127.0.0.1", 0), self._attach, lambda link, reason: self.gone.append((link.name, reason)),
            self.drained.append, dict[str, dict[str, Any]],
        )  # fmt: skip
        self.listener.start()

    def _attach(self, link: HostLink) -> None:
        self.links[link.name] = link

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.listener.port}"

    def begin(self, name: str, pool: Pool) -> HostAgent:
        """Have a machine connect."""
        token = add_host(self.database, name)
        agent = HostAgent(self.url, token, pool, ROOM, str(pool.confinement["level"]))
        thread = threading.Thread(target=agent.run, name=name)
        thread.start()
        self.agents.append(agent)
        self.threads.append(thread)
        return agent

    def link(self, name: str, *, after: int = 0) -> HostLink:
        """Return the connection of a host, one with a lease above `after`."""

        def found() -> HostLink | None:
            link = self.links.get(name)
            return link if link is not None and link.fence > after else None

        return until(found, f"host {name} to join")

    def join(self, count: int) -> list[SeatHost]:
        for place, pool in enumerate(self.pools[:count]):
            self.begin(f"host-{place}", pool)
        return [self.link(f"host-{place}") for place in range(count)]

    def close(self) -> None:
        for agent in self.agents:
            agent.stop()
        if not self.closed:
            self.listener.stop()
        self.closed = True
        for thread in self.threads:
            thread.join()


@pytest.fixture
def agents(host_pools: list[Pool], migrated_sqlite: Path, tmp_path: Path) -> Iterator[Agents]:
    """Machines on loopback, with the table of hosts in a database of their own."""
    path = tmp_path / "hosts.sqlite"
    shutil.copy(migrated_sqlite, path)
    database = open_database(f"sqlite:///{path}")
    found = Agents(host_pools, database)
    yield found
    found.close()
    database.dispose()


@pytest.fixture(params=["here", "agent"])
def machines(request: pytest.FixtureRequest, host_pools: list[Pool]) -> Machines:
    """Each kind of host in turn: the same tests hold for all."""
    if request.param == "here":
        return Machines(host_pools)
    found: Agents = request.getfixturevalue("agents")
    return found

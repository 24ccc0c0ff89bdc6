"""An engine that is ticked by hand: no clock, so that every test says which tick is which."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import text

from arena.core.exchange import Conditions, Rules
from arena.engine.backtest.run import hash_source
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.engine import Engine
from arena.engine.live.pacing import LiveBeats
from arena.engine.live.sources import SyntheticSource, TickSource
from arena.engine.seat import Seat
from arena.engine.state import MarketState
from arena.feeds.synthetic import SyntheticMarket
from arena.store.database import open_database
from arena.store.seasons import NewBot, SeasonPlan, resume_or_open, season_seeds
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from sandbox.talk.shared_page import can_share

SYMBOLS = ("BTCUSDT", "ETHUSDT")
RUNTIME = "tests.engine.burning:BurningRuntime"
# Wide apart, so that a slow machine changes no verdict: SPIN is late, an endless loop is killed.
LIMITS = Limits(tick_cpu_soft=0.1, tick_cpu_hard=0.7, load_cpu=1.0, load_wall=60.0, wall_backstop=60.0)
SPIN = "burn(0.2)"


class Steady:
    """A market whose prices a test states tick by tick; the last ones are carried on."""

    symbols = SYMBOLS
    deadline: float | None = 1.0
    waits_for_bots = False

    def __init__(self, *prices: dict[str, float]) -> None:
        self.prices = list(prices) or [{"BTCUSDT": 100.0, "ETHUSDT": 10.0}]
        self.beats = LiveBeats(10.0)
        self.strange: dict[int, Conditions] = {}

    def prices_at(self, n: int, time: float, previous: dict[str, float]) -> dict[str, float]:
        del time, previous
        return dict(self.prices[min(n, len(self.prices) - 1)])

    def conditions(self, time: float, market: MarketState) -> Conditions:
        del time
        return self.strange.get(market.n + 1, Conditions())

    def status(self) -> dict[str, Any]:
        return {}


class Hand:
    """A season whose engine is ticked by hand and can be ended and begun again."""

    def __init__(self, database: Database, pool: Pool, make: Callable[[str], TickSource], plan: SeasonPlan) -> None:
        self.database = database
        self.pool = pool
        self.season, _ = resume_or_open(database, plan, runtime={})
        self.season_id = self.season.id
        self.make = make
        self.begin()

    def begin(self) -> None:
        source = self.make(season_seeds(self.database, self.season.id).market)
        self.engine = Engine(self.database, self.pool, source, self.season, Broadcast())
        self.engine.start()

    def restart(self) -> None:
        self.engine.stop()
        self.begin()

    def admit(self, source: str, author: str = "local", origin: str = "upload") -> Seat:
        checked = self.pool.check(source.encode())
        assert checked.accepted, checked.violations
        new = NewBot(
            str(checked.facts["name"]), author, origin, source, hash_source(source.encode()),
            tuple(checked.facts["symbols"]),
        )  # fmt: skip
        return self.engine.roster.get(self.engine.roster.admit(new, checked.program).bot.id)

    def wait(self, seat: Seat) -> None:
        """Wait until a bot that is late has answered."""
        assert seat.worker is not None
        assert select.select([seat.worker.fileno()], [], [], 60)[0], "no answer"

    def tick(self, count: int = 1, *, deadline: float | None = None) -> int:
        """Tick so often, without a deadline unless one is given; return the number of the last tick."""
        self.engine.supervisor._deadline = deadline
        for _ in range(count):
            n = self.engine.market.n + 1
            self.engine.on_tick(n, 1_700_000_000.0 + n * self.season.interval)
        return self.engine.market.n

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of this season; the query's :season is its id."""
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), {"season": self.season_id})]

    def events(self, seat: Seat) -> list[tuple[int, str]]:
        found = self.rows("SELECT tick, event, bot_id FROM bot_ticks WHERE season_id = :season ORDER BY id")
        return [(tick, event) for tick, event, bot_id in found if bot_id == seat.id]


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """One pool for all engines of a test process."""
    found = Pool(RUNTIME, LIMITS)
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def calm(pool: Pool) -> Iterator[Pool]:
    """A pool so patient that no load of the machine is taken for a bot's fault."""
    del pool
    found = Pool(
        RUNTIME, Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, load_wall=60.0, wall_backstop=90.0, uid_base=32_000)
    )
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def facing() -> Iterator[Pool]:
    """A patient pool that shares a page with each worker."""
    if not can_share():
        pytest.skip("a page is shared on x86 with two CPUs or more only")
    found = Pool(
        RUNTIME,
        Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, load_wall=60.0, wall_backstop=90.0, uid_base=33_000),
        pages=True,
    )
    found.start()
    yield found
    found.stop()


def plan_of(interval: float = 10.0, feed: str = "synthetic", **rules: Any) -> SeasonPlan:
    """Return a plan whose market and chance are the same each time."""
    return SeasonPlan(feed, SYMBOLS, interval, Rules(**rules), seed=7, chance=7)


def synthetic(seed: str) -> TickSource:
    return SyntheticSource(SyntheticMarket(seed, SYMBOLS, 10.0))


@pytest.fixture
def file_database(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    import shutil

    shutil.copy(migrated_sqlite, tmp_path / "lab.db")
    engine = open_database(f"sqlite:///{tmp_path / 'lab.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def deal(file_database: Database, pool: Pool) -> Iterator[Callable[..., Hand]]:
    """Make engines over one SQLite database; all are ended afterwards."""
    hands: list[Hand] = []

    def make(source: TickSource | None = None, plan: SeasonPlan | None = None, pool: Pool = pool) -> Hand:
        hand = Hand(file_database, pool, (lambda _: source) if source else synthetic, plan or plan_of())
        hands.append(hand)
        return hand

    yield make
    for hand in hands:
        hand.engine.stop()

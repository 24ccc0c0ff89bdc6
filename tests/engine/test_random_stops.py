"""A season that is stopped anywhere, cleanly or by a kill, is the season that was not stopped, order for order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine as Database

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.live.snapshots import Snapshots
from arena.engine.live.sources import ReplaySource
from arena.engine.replay.proof import REPRODUCED, verify
from arena.store.bundle import StoredRecord
from arena.store.database import open_database
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from tests.engine.conftest import SYMBOLS, Hand, plan_of
from tests.engine.test_recovery import BOTS, EVERY_TICK, picture

TICKS = 60


@dataclass(frozen=True)
class Stop:
    """A stop after tick `at`: clean, or by a kill; memories were saved `before` it so many ticks, None for never."""

    at: int
    clean: bool
    before: int | None


STOPS = st.lists(
    st.builds(Stop, st.integers(0, TICKS - 2), st.booleans(), st.none() | st.integers(0, 9)),
    min_size=2, max_size=4, unique_by=lambda stop: stop.at,
)  # fmt: skip
GIVEN = given(seed=st.integers(0, 2**32 - 1), delay=st.sampled_from([1, 3]), gathering=st.booleans(), stops=STOPS)


@pytest.fixture(scope="module")
def plain() -> Any:
    """A patient pool whose bots have no function of a test among their globals, which could not be saved."""
    found = Pool("arena.runtime.bot:BotRuntime", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=35_000))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def fresh(migrated_sqlite: Path, tmp_path: Path) -> Any:
    """Make empty databases; all are closed afterwards."""
    made: list[Database] = []

    def make() -> Database:
        path = tmp_path / f"{len(made)}.db"
        shutil.copy(migrated_sqlite, path)
        made.append(open_database(f"sqlite:///{path}"))
        return made[-1]

    yield make
    for database in made:
        database.dispose()


def market(seed: int) -> RecordedMarket:
    """Return prices that swing enough for every shipped bot to trade."""
    steps = np.random.default_rng(seed).normal(0.0, 0.01, (TICKS, len(SYMBOLS)))
    prices = np.exp(np.cumsum(steps, axis=0)) * np.array([40_000.0, 2_000.0])
    times = 1_700_000_000.0 + 10.0 * np.arange(TICKS)
    return RecordedMarket(SYMBOLS, np.ascontiguousarray(np.column_stack([times, prices])))


def begun(database: Database, pool: Pool, seed: int, delay: int, sources: Sequence[str]) -> Hand:
    """Return a season of these bots before its first tick."""
    plan = replace(plan_of(), rules=Rules(fee_bps=7.0, slippage_bps=3.0, delay_ticks=delay))
    recording = ReplaySource(market(seed))
    hand = Hand(database, pool, lambda _: recording, plan)
    for source in sources:
        hand.admit(source)
    return hand


def play_to(hand: Hand, end: int) -> None:
    """Tick up to a number; in ticks of a recording."""
    while hand.engine.market.n < end:
        n = hand.engine.market.n + 1
        hand.engine.on_tick(n, 1_700_000_000.0 + 10.0 * n)


def save_memories(hand: Hand) -> None:
    hand.engine._flush()
    saving = Snapshots(hand.database, hand.pool, hand.engine._state, 10.0)
    saving.at_stop(hand.engine.roster.seats())


def stop(hand: Hand, how: Stop, *, gathering: bool) -> None:
    if how.clean:
        hand.snapshot_minutes = 10.0 * (how.before is not None)
        hand.engine.stop()
    else:
        # What stands in memory only is gone, and so are the workers; nobody was asked for anything.
        hand.engine._unwritten.clear()
        hand.engine._unrecorded = True
        hand.engine.stop()
    hand.begin()
    hand.engine._gathering = gathering


def assert_stops_change_nothing(
    fresh: Callable[[], Database],
    pool: Pool,
    seed: int,
    delay: int,
    stops: Sequence[Stop],
    *,
    gathering: bool,
    sources: Sequence[str],
) -> None:
    whole = begun(fresh(), pool, seed, delay, sources)
    try:
        play_to(whole, TICKS - 1)
        expected = picture(whole)
    finally:
        whole.engine.stop()
    hand = begun(fresh(), pool, seed, delay, sources)
    hand.engine._gathering = gathering
    try:
        for each in sorted(stops, key=lambda stop: stop.at):
            if each.before is not None:
                play_to(hand, each.at - each.before)
                save_memories(hand)
            play_to(hand, each.at)
            stop(hand, each, gathering=gathering)
        play_to(hand, TICKS - 1)
        hand.engine._flush()
        found = picture(hand)
        for part, value in expected.items():
            assert found[part] == value, part
        assert len(found["trades"]) > TICKS
        for seat in hand.engine.roster.seats():
            proof = verify(pool, StoredRecord(hand.database, hand.season_id, seat.id))
            assert proof.status == REPRODUCED, proof.findings
    finally:
        hand.engine.stop()


@pytest.mark.system
def test_a_season_stopped_cleanly_and_killed_is_the_season_that_was_not(
    fresh: Callable[[], Database], plain: Pool
) -> None:
    stops = [Stop(7, clean=False, before=None), Stop(23, clean=True, before=0), Stop(44, clean=False, before=6)]
    few = [path.read_text("utf-8") for path in (BOTS / "example_random.py", BOTS / "momentum_bot.py")]
    assert_stops_change_nothing(fresh, plain, 7, 3, stops, gathering=True, sources=[*few, EVERY_TICK])


@pytest.mark.long  # twenty seasons of eight bots, each beside one that is not stopped, and proved
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@GIVEN
def test_no_random_stops_change_a_season(
    fresh: Callable[[], Database], plain: Pool, seed: int, delay: int, stops: list[Stop], *, gathering: bool
) -> None:
    every = [path.read_text("utf-8") for path in sorted(BOTS.glob("*.py"))]
    assert_stops_change_nothing(fresh, plain, seed, delay, stops, gathering=gathering, sources=[*every, EVERY_TICK])

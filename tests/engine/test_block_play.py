"""A recording that is played a block of ticks at a time, bot by bot, is the season that is played tick by tick."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine as Database

from arena.core.exchange import Conditions, Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.live import engine, supervisor
from arena.engine.live.blocks import Block, BlockLengths
from arena.engine.live.sources import ReplaySource
from arena.engine.replay.proof import REPRODUCED, verify
from arena.store.bundle import StoredRecord
from arena.store.database import open_database
from sandbox.pool import Pool
from sandbox.talk.shared_page import can_share
from tests.arenas import bot_source, until
from tests.engine.conftest import LIMITS, RUNTIME, SYMBOLS, Hand, plan_of
from tests.engine.test_recovery import BOTS, EVERY_TICK, picture

TICKS = 180
START = 1_700_000_000.0
# Three strikes in one block, an error now and then, and a bot that only talks.
ODD = (
    bot_source(
        'if n > 40: raise MemoryError\nctx.submit_order("BTCUSDT", "BUY", 0.001)\nstep()',
        name="Greedy", top="n = 0\ndef step():\n    global n\n    n += 1\n",
    ),
    bot_source('if int(tick["time"]) % 70 == 0: 1 / 0', name="Clumsy"),
    bot_source('ctx.log(str(tick["bot"]["equity"]))', name="Talker"),
)  # fmt: skip

# Orders at every tick, and is killed in the middle of a block.
ENDLESS = bot_source(
    'ctx.submit_order("BTCUSDT", "BUY", 0.001)\nstep()\nwhile n > 33: pass',
    name="Endless", top="n = 0\ndef step():\n    global n\n    n += 1\n",
)  # fmt: skip

Make = Callable[[], Database]


@pytest.fixture
def fresh(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Make]:
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


def recording() -> ReplaySource:
    """Return a market with a symbol that comes late, one that is missing for a while, and a halt."""
    steps = np.random.default_rng(23).normal(0.0, 0.01, (TICKS, len(SYMBOLS)))
    prices = np.exp(np.cumsum(steps, axis=0)) * np.array([40_000.0, 2_000.0])
    prices[:7, 1] = prices[100:111, 0] = np.nan
    rows = np.column_stack([START + 10.0 * np.arange(TICKS), prices])
    halted = {n: Conditions({"BTCUSDT": "Trading of BTCUSDT is halted"}) for n in range(60, 64)}
    return ReplaySource(RecordedMarket(SYMBOLS, np.ascontiguousarray(rows), halted))


def begun(database: Database, pool: Pool, delay: int, *more: str) -> Hand:
    plan = replace(plan_of(feed="replay:walk"), rules=Rules(fee_bps=7.0, slippage_bps=3.0, delay_ticks=delay))
    source = recording()
    hand = Hand(database, pool, lambda _: source, plan)
    for path in sorted(BOTS.glob("*.py")):
        hand.admit(path.read_text("utf-8"))
    for bot in (EVERY_TICK, *more):
        hand.admit(bot)
    return hand


def whole_picture(hand: Hand) -> dict[str, Any]:
    """Return what an author can see, and the numbers and the order of all rows."""
    numbered = {
        "numbers": "SELECT id, bot_name, tick FROM orders WHERE season_id = :season ORDER BY id",
        "fills": "SELECT id, order_id, bot_name, tick FROM trades WHERE season_id = :season ORDER BY id",
        "lines": "SELECT tick, level, message FROM logs WHERE season_id = :season ORDER BY id",
        "rows": "SELECT tick, bot_name FROM equity WHERE season_id = :season ORDER BY id",
        "events": "SELECT tick, event, detail FROM bot_ticks WHERE season_id = :season ORDER BY id",
        "chains": "SELECT orders_count, orders_digest, errors, last_error, status, reason FROM entries "
        "WHERE season_id = :season ORDER BY bot_name",
        "points": "SELECT n, tick, time, equities FROM score_points WHERE season_id = :season ORDER BY n",
        "conditions": "SELECT n, prices, conditions FROM ticks WHERE season_id = :season ORDER BY n",
        "board": "SELECT rank, equity, trades, rejected, errors, tick, return_pct, max_drawdown_pct, exposure_pct "
        "FROM standings WHERE season_id = :season ORDER BY rank",
    }
    return {**picture(hand), **{part: hand.rows(query) for part, query in numbered.items()}}


def played(hand: Hand) -> None:
    """Play to the end of the recording by the engine's own loop, which plays in blocks."""
    hand.engine.release()
    thread = threading.Thread(target=hand.engine.main_loop)
    thread.start()
    until(lambda: hand.engine.state == "finished", "the replay has ended")
    hand.engine.shut_down()
    thread.join(60)
    assert not thread.is_alive()


def played_by_hand(hand: Hand) -> None:
    for n in range(TICKS):
        hand.engine.on_tick(n, START + 10.0 * n, last=n + 1 == TICKS)
    hand.engine.finish()


@pytest.fixture(autouse=True)
def long_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play blocks of 64 ticks, however slow the machine is just now."""
    monkeypatch.setattr(BlockLengths, "next", lambda *_: 64)
    monkeypatch.setattr(supervisor, "_AHEAD_SECONDS", 60.0)
    monkeypatch.setattr(engine, "_LAST_BLOCK_SECONDS", 60.0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how many ticks at once bots have answered."""
    found: list[int] = []
    play = Block.play

    def counted(self: Block, seat: Any, request: Any, n: int, *rest: Any) -> Any:
        reply = play(self, seat, request, n, *rest)
        found.append(sum(self.answer(seat, later) is not None for later in range(n, self.end)))
        return reply

    monkeypatch.setattr(Block, "play", counted)
    return found


def without_seconds(rows: Any) -> str:
    """Return rows without how much CPU was used, which is never twice the same."""
    return re.sub(r"\d+(?:\.\d+)? m?s\b", "…", str(rows))


def _proofs(pool: Pool, hand: Hand) -> dict[str, Any]:
    found = {}
    for seat in hand.engine.roster.seats():
        proof = verify(pool, StoredRecord(hand.database, hand.season_id, seat.id))
        found[seat.name] = (proof.status, [str(finding) for finding in proof.findings])
    return found


@pytest.mark.parametrize("delay", [1, 3])
def test_blocks_of_ticks_change_nothing(fresh: Make, facing: Pool, asked: list[int], delay: int) -> None:
    hands = [begun(fresh(), facing, delay, *ODD) for _ in range(2)]
    try:
        played_by_hand(hands[0])
        assert not asked
        played(hands[1])
        assert max(asked) > 16
        expected, found = (whole_picture(hand) for hand in hands)
        for part, value in expected.items():
            assert found[part] == value, part
        assert found["seats"]["Greedy"][5] == "quarantined"
        assert len(found["trades"]) > TICKS
        for name, proof in _proofs(facing, hands[1]).items():
            assert proof == (REPRODUCED, []), name
    finally:
        for hand in hands:
            hand.engine.stop()


@pytest.mark.system
def test_a_kill_in_the_middle_of_a_block_loses_no_recorded_tick(fresh: Make, facing: Pool, asked: list[int]) -> None:
    hands = [begun(fresh(), facing, 1) for _ in range(2)]
    whole, hand = hands
    try:
        played(whole)
        hand.engine._gathering = True
        for n in range(100):
            if not hand.engine._in_block:
                hand.engine._begin_block()
            hand.engine.on_tick(n, START + 10.0 * n)
            if n == 50:
                hand.engine._flush()
        assert hand.engine._in_block
        assert asked
        # What stands in memory only is gone, and so are the workers.
        hand.engine._unwritten.clear()
        hand.engine._unrecorded = True
        hand.engine.stop()
        hand.begin()
        assert hand.engine.market.n >= 50
        played(hand)
        expected, found = picture(whole), picture(hand)
        for part, value in expected.items():
            assert found[part] == value, part
    finally:
        for each in hands:
            each.engine.stop()


@pytest.fixture
def mortal() -> Iterator[tuple[Pool, list[Hand]]]:
    """A pool that shares pages, kills who burns CPU, and may lose its zygote; the last arena in the list is told."""
    if not can_share():
        pytest.skip("a page is shared on x86 with two CPUs or more only")
    hands: list[Hand] = []
    limits = replace(LIMITS, tick_cpu_soft=0.4, uid_base=35_000)
    pool = Pool(RUNTIME, limits, on_zygote_death=lambda: hands[-1].engine.zygote_died(), pages=True)  # noqa: PLW0108
    pool.start()
    yield pool, hands
    for hand in hands:
        hand.engine.stop()
    pool.stop()


def played_in_blocks(hand: Hand, before: Callable[[int], None] | None = None) -> None:
    """Play to the end of the recording as the engine's loop does, with something done before each tick."""
    hand.engine._gathering = True
    for n in range(TICKS):
        if not hand.engine._in_block:
            hand.engine._begin_block()
        if before is not None:
            before(n)
        hand.engine.on_tick(n, START + 10.0 * n, last=n + 1 == TICKS)
    hand.engine.finish()


@pytest.mark.system
def test_a_death_in_the_middle_of_a_block_counts_at_its_own_tick(
    fresh: Make, mortal: tuple[Pool, list[Hand]], asked: list[int]
) -> None:
    pool, hands = mortal
    hands.append(begun(fresh(), pool, 1, ENDLESS))
    played_by_hand(hands[-1])
    assert not asked
    hands.append(begun(fresh(), pool, 1, ENDLESS))
    played_in_blocks(hands[-1])
    assert max(asked) > 16
    expected, found = (whole_picture(hand) for hand in hands)
    assert len([row for row in expected["numbers"] if row[1] == "Endless"]) > 30
    assert expected["seats"]["Endless"][5] == "quarantined"
    for part in ("logs", "events", "numbers", "fills", "lines", "chains"):
        assert without_seconds(found[part]) == without_seconds(expected[part]), part
    for name, proof in _proofs(pool, hands[-1]).items():
        assert proof == (REPRODUCED, []), name


@pytest.mark.system
def test_a_lost_zygote_in_the_middle_of_a_block_shows_no_tick_twice(
    fresh: Make, mortal: tuple[Pool, list[Hand]]
) -> None:
    pool, hands = mortal
    hands.append(begun(fresh(), pool, 1))
    played_in_blocks(hands[-1])
    hands.append(begun(fresh(), pool, 1))
    hand, killed = hands[-1], []

    def kill(n: int) -> None:
        if not killed and n > 30 and hand.engine._in_block:
            killed.append(n)
            assert pool.zygote_pid is not None
            os.kill(pool.zygote_pid, signal.SIGKILL)
            until(hand.engine._zygote_died.is_set, "the death is known")

    played_in_blocks(hand, kill)
    assert killed
    expected, found = (picture(each) for each in hands)
    for part in ("trades", "orders", "equity"):
        assert found[part] == expected[part], part
    for name, proof in _proofs(pool, hand).items():
        assert proof == (REPRODUCED, []), name


def test_what_is_handed_over_in_a_block_is_done_when_it_ends(
    fresh: Make, facing: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = begun(fresh(), facing, 1)
    clock, seat = hand.engine, hand.engine.roster.seats()[0]
    ends: list[int] = []
    play = Block.play

    def handing_over(self: Block, *told: Any) -> Any:
        if not ends and self.end - clock.market.n > 16:
            ends.append(self.end)
            clock.call(lambda: clock.roster.pause(seat.id))
        return play(self, *told)

    monkeypatch.setattr(Block, "play", handing_over)
    try:
        played(hand)
        assert hand.events(seat)[-1] == (ends[0], "paused")
    finally:
        clock.stop()


@pytest.mark.parametrize(("by_blocks", "at_once", "most"), [(10_000, 1_000, True), (1_000, 10_000, False)])
def test_the_quicker_way_of_asking_is_kept(
    monkeypatch: pytest.MonkeyPatch, by_blocks: int, at_once: int, *, most: bool
) -> None:
    monkeypatch.undo()
    lengths, n, now, ticks = BlockLengths(), 0, 100.0, {True: 0, False: 0}
    while now < 120.0:
        length = lengths.next(n, now)
        ticks[length > 1] += length
        n, now = n + length, now + length / (by_blocks if length > 1 else at_once)
    assert (ticks[True] > 10 * ticks[False]) is most
    assert (ticks[False] > 10 * ticks[True]) is not most

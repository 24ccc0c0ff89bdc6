"""Lockstep over a shared page: one bot after the other, with the results of every other way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from arena.core.exchange import Conditions, Rules
from arena.engine.backtest import report
from arena.engine.backtest import run as backtests
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.bot_run import BotRun
from arena.engine.backtest.run import BacktestResult, BotSource, Progress, backtest, check_candidates, play_entries
from sandbox.pool import Pool
from sandbox.process import spawn as orders
from sandbox.process.limits import Limits
from sandbox.talk.shared_page import ROOM, SharedPage
from sandbox.talk.verdict import Verdict
from tests.arenas import bot_source
from tests.engine.conftest import SYMBOLS
from tests.engine.test_backtest import BUY, RULES, own, seeded, shipped, told


def in_turn(
    pool: Pool, candidates: Sequence[BotSource], market: RecordedMarket, rules: Rules = RULES
) -> list[BacktestResult]:
    before = os.sched_getaffinity(0)
    results = play_entries(pool, check_candidates(pool, candidates), market, rules, seed=5, run=1, pin=True)
    assert os.sched_getaffinity(0) == before
    return results


@pytest.mark.system
def test_turns_are_run_ahead_byte_for_byte(calm: Pool, facing: Pool) -> None:
    market = seeded(1300)
    talker = own(bot_source(f"ctx.log('x' * 900)\n{BUY.replace('0.01', '0.001')}", name="Talker"))
    idler = own(bot_source(name="Idler"))
    candidates = [*shipped(), *talker, *idler]
    ahead = told(backtest(calm, candidates, market, RULES, seed=5), market)
    assert json.dumps(told(in_turn(facing, candidates, market), market)) == json.dumps(ahead)


def test_missing_prices_and_halts_make_no_difference(calm: Pool, facing: Pool) -> None:
    market = seeded(300)
    market.rows[100:110, 2] = np.nan
    market = RecordedMarket(SYMBOLS, market.rows, {n: Conditions({"BTCUSDT": "halted"}) for n in (3, 4, 250)})
    candidates = [*shipped(), *own(bot_source(BUY, name="Buyer"))]
    ahead = told(backtest(calm, candidates, market, RULES, seed=5), market)
    assert json.dumps(told(in_turn(facing, candidates, market), market)) == json.dumps(ahead)


@pytest.mark.parametrize("bots", [1, 3])
def test_the_slow_are_put_off_and_lose_nothing(
    calm: Pool, facing: Pool, monkeypatch: pytest.MonkeyPatch, bots: int
) -> None:
    market, stepped, step = seeded(200), [], backtests._play_in_step

    def noted(stages: Sequence[BotRun], progress: Progress | None) -> None:
        stepped.append(len(stages))
        step(stages, progress)

    monkeypatch.setattr(backtests, "_TURNS", 50)
    monkeypatch.setattr(backtests, "_SLOW", 1e-9)
    monkeypatch.setattr(backtests, "_play_in_step", noted)
    candidates = [*own(bot_source(f"ctx.log('at work')\n{BUY}", name="Busy")), *shipped()][:bots]
    ahead = told(backtest(calm, candidates, market, RULES, seed=5), market)
    assert json.dumps(told(in_turn(facing, candidates, market), market)) == json.dumps(ahead)
    # One that is alone has nobody to let pass.
    assert stepped == ([] if bots == 1 else [bots])


@pytest.mark.system
def test_quiet_bots_that_think_for_long_are_put_off_too(facing: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    stepped, step = [], backtests._play_in_step

    def noted(stages: Sequence[BotRun], progress: Progress | None) -> None:
        stepped.append([stage.position for stage in stages])
        step(stages, progress)

    monkeypatch.setattr(backtests, "_TURNS", 100)
    monkeypatch.setattr(backtests, "_play_in_step", noted)
    # Longer than turns are waited for without a look at the clock.
    slow = [bot_source("for _ in range(100_000): pass", name=f"Slow {n}") for n in range(2)]
    results = in_turn(facing, own(*slow), seeded(300))
    assert [result.status for result in results] == ["ok", "ok"]
    assert len(stepped) == 1
    assert max(stepped[0]) <= 100


def test_with_one_cpu_left_bots_are_asked_over_their_pipes(facing: Pool) -> None:
    market, before = seeded(120), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        alone = told(in_turn(facing, shipped()[:2], market), market)
    finally:
        os.sched_setaffinity(0, before)
    assert json.dumps(alone) == json.dumps(told(in_turn(facing, shipped()[:2], market), market))


def test_a_market_too_wide_for_a_page_goes_by_the_pipe(calm: Pool, facing: Pool) -> None:
    symbols = tuple(f"S{n}" for n in range(ROOM // 8 + 10))
    rows = np.random.default_rng(1).uniform(1.0, 2.0, (40, 1 + len(symbols)))
    rows[:, 0] = 1_700_000_000.0 + 60.0 * np.arange(40)
    market = RecordedMarket(symbols, rows)
    wide = own(bot_source("ctx.submit_order('S7', 'BUY', 1)", name="Wide", symbols="['S7']"))
    ahead = told(backtest(calm, wide, market, RULES, seed=5), market)
    assert json.dumps(told(in_turn(facing, wide, market), market)) == json.dumps(ahead)


def test_progress_counts_every_tick(facing: Pool) -> None:
    market, moved = seeded(1500), []
    entries = check_candidates(facing, shipped()[:3])
    play_entries(facing, entries, market, RULES, run=1, pin=True, progress=moved.append)
    assert sum(moved) == 3 * 1500


@pytest.fixture(scope="module")
def strict(facing: Pool) -> Iterator[Pool]:
    """A pool that shares pages and keeps the usual limits."""
    del facing
    found = Pool(
        "arena.runtime.bot:BotRuntime",
        Limits(tick_cpu_hard=0.5, load_wall=60.0, wall_backstop=60.0, uid_base=34_000),
        pages=True,
    )
    found.start()
    yield found
    found.stop()


@pytest.mark.system
def test_a_bot_over_its_limit_goes_on_at_the_next_tick(strict: Pool) -> None:
    body = f"{BUY}\nif tick['time'] == 1_700_000_180.0:\n    while True: pass"
    (result,) = in_turn(strict, own(bot_source(body)), seeded(20))
    assert result.mode == "lockstep"
    assert [(tick, verdict) for tick, verdict, _ in result.endings] == [(3, Verdict.TIMEOUT)]
    assert result.play is not None
    assert [order.tick for order in result.play.ledger.orders] == [n for n in range(20) if n != 3]


@pytest.mark.system
def test_a_market_may_end_while_a_bot_is_out(strict: Pool) -> None:
    body = "if tick['time'] == 1_700_000_300.0:\n    while True: pass"
    (result,) = in_turn(strict, own(bot_source(body)), seeded(7))
    assert (result.status, [tick for tick, *_ in result.endings]) == ("ok", [5])


@pytest.mark.system
def test_an_endless_loop_ends_in_quarantine_and_hurts_nobody(strict: Pool) -> None:
    market = seeded(25)
    alone = in_turn(strict, own(bot_source(BUY, name="Good")), market)
    both = in_turn(strict, own(bot_source("while True: pass", name="Bad"), bot_source(BUY, name="Good")), market)
    assert both[0].status == "quarantined"
    assert report.order_rows(alone) == report.order_rows(both[1:])


@pytest.mark.system
def test_a_mirror_that_differs_costs_the_bot_its_place(facing: Pool) -> None:
    del facing
    market = seeded(400)
    pool = Pool("tests.engine.cheats:Cheat", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=35_000), pages=True)
    pool.start()
    try:
        alone = in_turn(pool, own(bot_source(BUY, name="Good")), market)
        both = in_turn(pool, own(bot_source(BUY, name="Cheat"), bot_source(BUY, name="Good")), market)
    finally:
        pool.stop()
    assert both[0].status == "quarantined"
    assert {verdict for _, verdict, _ in both[0].endings} == {Verdict.PROTOCOL_ERROR}
    assert report.order_rows(alone) == report.order_rows(both[1:])


@pytest.mark.system
def test_no_price_to_come_is_ever_in_a_page(facing: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    del facing
    market, pages, looked = seeded(60), [], []

    class Watched(SharedPage):
        def __init__(self, descriptor: int) -> None:
            super().__init__(descriptor)
            pages.append(self)

    def look(moved: int) -> None:
        looked.append(moved)
        now = sum(looked)
        seen = b"".join(page.memory[:] for page in pages if not page.memory.closed)
        # By their times, since a price may come again.
        found = [n for n in range(len(market)) if market.rows[n, 0].tobytes() in seen]
        assert max(found, default=-1) == now - 1

    monkeypatch.setattr(orders, "SharedPage", Watched)
    monkeypatch.setattr(backtests, "_TURNS", 1)
    pool = Pool(
        "arena.runtime.bot:BotRuntime", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=36_000), pages=True
    )
    pool.start()
    try:
        entries = check_candidates(pool, own(bot_source(name="Idler")))
        play_entries(pool, entries, market, RULES, run=1, pin=True, progress=look)
    finally:
        pool.stop()
    assert sum(looked) == len(market)

"""One bot on one market gives the same orders and fills in every mode, whatever the market is like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arena.core.exchange import Conditions, Rules
from arena.engine.backtest import report
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BacktestResult, BotSource, backtest, check_candidates, play_entries
from arena.engine.live.sources import ReplaySource
from arena.engine.replay.proof import REPRODUCED
from sandbox.pool import Pool
from tests.arenas import bot_source
from tests.engine.conftest import SYMBOLS, Hand, plan_of
from tests.engine.test_proof import prove

ROOT = Path(__file__).parents[2]
EAGER = bot_source(
    "import random\nctx.submit_order(random.choice(SYMBOLS), random.choice(['BUY', 'SELL', 'HOLD']),"
    " random.choice([0, 0.01, 3, 1e9]))\nif random.random() < 0.1: 1 / 0",
    name="Eager", symbols=str(list(SYMBOLS)),
)  # fmt: skip
SOURCES = [EAGER, *(path.read_text("utf-8") for path in sorted((ROOT / "bots").glob("*.py")))]


@st.composite
def markets(draw: st.DrawFn) -> RecordedMarket:
    """Return a market with jumps, symbols that come late or lose their price, stale ticks and an end."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ticks = draw(st.integers(20, 160))
    steps = rng.normal(0.0, draw(st.sampled_from([1e-4, 1e-2, 0.2])), (ticks, len(SYMBOLS)))
    prices = np.exp(np.cumsum(steps, axis=0)) * np.array([40_000.0, 0.5])
    prices[: draw(st.integers(0, 15)), 1] = np.nan
    conditions = {
        n: Conditions({SYMBOLS[n % 2]: f"Price of {SYMBOLS[n % 2]} is stale"})
        for n in draw(st.sets(st.integers(1, ticks - 1), max_size=6))
    }
    end = draw(st.integers(10, 200))
    if end < ticks:
        prices[end:, 1] = np.nan
        outcome = draw(st.sampled_from([0.0, 1.0, None]))
        conditions[end] = Conditions({SYMBOLS[1]: "It has ended."}, {SYMBOLS[1]: outcome})
    times = 1_700_000_000.0 + 10.0 * np.arange(ticks)
    return RecordedMarket(SYMBOLS, np.ascontiguousarray(np.column_stack([times, prices])), conditions)


def play(pool: Pool, market: RecordedMarket, rules: Rules, seed: int, run: int) -> list[BacktestResult]:
    candidates = [BotSource(f"{n}.py", source.encode()) for n, source in enumerate(SOURCES)]
    return backtest(pool, candidates, market, rules, seed=seed, run=run)


def play_in_turn(pool: Pool, market: RecordedMarket, rules: Rules, seed: int) -> list[BacktestResult]:
    entries = check_candidates(pool, [BotSource(f"{n}.py", source.encode()) for n, source in enumerate(SOURCES)])
    return play_entries(pool, entries, market, rules, seed=seed, run=1, pin=True)


def fills(results: list[BacktestResult]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in report.trade_rows(results):
        columns = ("time", "symbol", "side", "size", "price", "cash_after", "position_after", "fee", "realized_pnl")
        found.setdefault(str(row["bot_name"]), []).append(tuple(row[name] for name in columns))
    return found


GIVEN = given(market=markets(), fee=st.sampled_from([0.0, 12.5]), delay=st.sampled_from([3, 1, 2, 7]))


@pytest.mark.system
@settings(max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@GIVEN
def test_run_ahead_lockstep_and_a_season_agree_to_the_last_bit(
    calm: Pool, facing: Pool, deal: Callable[..., Hand], market: RecordedMarket, fee: float, delay: int
) -> None:
    assert_modes_agree(calm, facing, deal, market, Rules(10_000.0, fee, fee / 2, delay_ticks=delay))


@pytest.mark.long  # the same of ten markets, each played in four ways and proved bot by bot
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@GIVEN
def test_all_modes_agree_on_many_markets(
    calm: Pool, facing: Pool, deal: Callable[..., Hand], market: RecordedMarket, fee: float, delay: int
) -> None:
    assert_modes_agree(calm, facing, deal, market, Rules(10_000.0, fee, fee / 2, delay_ticks=delay))


def assert_modes_agree(
    calm: Pool, facing: Pool, deal: Callable[..., Hand], market: RecordedMarket, rules: Rules
) -> None:
    hand = deal(ReplaySource(market), replace(plan_of(), rules=rules), pool=calm)
    seed = hand.engine._state.chance
    ahead, lockstep = play(calm, market, rules, seed, 512), play(calm, market, rules, seed, 1)
    in_turn = play_in_turn(facing, market, rules, seed)
    expected = fills(lockstep)
    for other in (ahead, in_turn):
        assert report.order_rows(other) == report.order_rows(lockstep)
        assert report.log_rows(other) == report.log_rows(lockstep)
        assert fills(other) == expected
    try:
        assert_season_agrees(hand, market, expected)
    finally:
        hand.engine.finish()
        hand.engine.stop()


def assert_season_agrees(hand: Hand, market: RecordedMarket, expected: dict[str, list[tuple[Any, ...]]]) -> None:
    """Play the market as a season, tick by tick, and compare its fills; then prove every record."""
    seats = [hand.admit(source) for source in SOURCES]
    for n in range(len(market)):
        hand.engine.on_tick(n, market.time(n), last=n + 1 == len(market))
    recorded: dict[str, list[tuple[Any, ...]]] = {}
    query = (
        "SELECT bot_name, time, symbol, side, size, price, cash_after, position_after, fee, realized_pnl "
        "FROM trades WHERE season_id = :season ORDER BY id"
    )
    for name, *rest in hand.rows(query):
        recorded.setdefault(name, []).append(tuple(rest))
    assert recorded == expected
    for seat in seats:
        proof = prove(hand, seat)
        assert proof.status == REPRODUCED, proof.findings

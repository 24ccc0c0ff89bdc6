"""Backtests: run-ahead and lockstep are the same play, and twice the same is the same."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.core.exchange import Conditions, Rules
from arena.engine.backtest import report
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.record import EquityCurve
from arena.engine.backtest.run import (
    BacktestResult,
    BotSource,
    backtest,
    check_candidates,
    play_entries,
    ranked_results,
)
from arena.feeds.synthetic import SyntheticMarket
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from sandbox.talk.verdict import Verdict
from tests.arenas import bot_source
from tests.engine.conftest import SYMBOLS

BOTS = sorted((Path(__file__).parents[2] / "bots").glob("*.py"))
RULES = Rules(10_000.0, 10.0, 5.0)
BUY = 'ctx.submit_order("BTCUSDT", "BUY", 0.01)'


def seeded(ticks: int, seed: int = 3) -> RecordedMarket:
    made = SyntheticMarket(seed, SYMBOLS, 60.0)
    prices = made.first()
    rows = []
    for n in range(ticks):
        prices = made.next(n, prices) if n else prices
        rows.append([1_700_000_000.0 + 60 * n, *(prices[symbol] for symbol in SYMBOLS)])
    return RecordedMarket(SYMBOLS, np.array(rows))


def shipped() -> list[BotSource]:
    return [BotSource(path.name, path.read_bytes()) for path in BOTS]


def own(*sources: str) -> list[BotSource]:
    return [BotSource(f"{n}.py", source.encode()) for n, source in enumerate(sources)]


def told(results: Sequence[BacktestResult], market: RecordedMarket) -> dict[str, Any]:
    """Return everything a report says but how it was made."""
    document = report.document(results, market, 0.0)
    document.pop("mode")
    for bot in document["bots"]:
        bot.pop("mode")
    return {
        "document": document, "trades": report.trade_rows(results), "orders": report.order_rows(results),
        "logs": report.log_rows(results),
        "equity": [list(result.play.ledger.equity) for result in results if result.play],
        "scores": [dataclasses.asdict(result.play.score) for result in results if result.play],
    }  # fmt: skip


def test_run_ahead_is_lockstep_byte_for_byte_and_twice_the_same(calm: Pool) -> None:
    market = seeded(400)
    ahead = told(backtest(calm, shipped(), market, RULES, seed=5), market)
    again = told(backtest(calm, shipped(), market, RULES, seed=5), market)
    step = told(backtest(calm, shipped(), market, RULES, seed=5, run=1), market)
    assert json.dumps(ahead) == json.dumps(again)
    assert json.dumps(ahead) == json.dumps(step)
    assert {row["bot_name"] for row in ahead["trades"]} >= {"Random Trader", "Trend Follower", "Buy and Hold"}


def test_another_seed_is_another_chance(calm: Pool) -> None:
    market = seeded(200)
    (chance,) = [candidate for candidate in shipped() if candidate.file == "example_random.py"]
    rows = [report.order_rows(backtest(calm, [chance], market, RULES, seed=seed)) for seed in (1, 2, 1)]
    assert rows[0] == rows[2] != rows[1]


@pytest.mark.parametrize("run", [1, 512])
def test_money_adds_up(calm: Pool, run: int) -> None:
    market = seeded(300)
    for result in backtest(calm, shipped(), market, RULES, run=run):
        assert result.play is not None
        account, equity = result.play.account, result.play.equity
        unrealized = result.play.ledger.equity[-1][4]
        assert equity - 10_000 == pytest.approx(account.realized + unrealized - account.fees, rel=1e-9, abs=1e-6)


def test_each_candidate_gets_its_row_whatever_it_is(calm: Pool) -> None:
    market = seeded(30)
    results = backtest(
        calm,
        own(
            bot_source(BUY, name="Good"), "import os; os.sep", bot_source(name="Elsewhere", symbols='["XAUUSD"]'),
            bot_source(name="Broken", top="x = 1 // 0"), bot_source("raise ValueError", name="Raiser"),
        ),
        market, RULES,
    )  # fmt: skip
    statuses = [result.status for result in results]
    assert statuses[:3] == ["ok", "refused", "no_market"]
    assert statuses[3] in {"failed", "refused"}
    assert statuses[4] == "ok"
    documents = [report.bot_document(result, market) for result in results]
    assert documents[1]["violations"][0]["line"] == 1
    assert (documents[1]["orders"], documents[1]["equity"], documents[1]["positions"]) == (0, None, {})
    assert documents[4]["errors"] == 30
    assert [result.file for result in ranked_results(results)][-1] in {"1.py", "3.py"}


def test_two_bots_of_one_name_are_told_apart(calm: Pool) -> None:
    market = seeded(12)
    results = backtest(calm, own(bot_source(BUY, name="Same"), bot_source(name="Same")), market, RULES)
    assert [(result.name, result.file) for result in results] == [("Same", "0.py"), ("Same #2", "1.py")]


def test_orders_of_the_last_tick_expire(calm: Pool) -> None:
    market = seeded(5)
    results = backtest(calm, own(bot_source(BUY)), market, RULES)
    rows = report.order_rows(results)
    assert [row["status"] for row in rows] == ["filled"] * 4 + ["expired"]
    assert [row["fill_time"] for row in rows] == [row["time"] + 60 for row in rows[:4]] + [None]


@pytest.mark.system
def test_a_bot_over_its_budget_is_judged_in_lockstep(pool: Pool) -> None:
    body = f"{BUY}\nif tick['time'] == 1_700_000_180.0:\n    while True: pass"
    (result,) = backtest(pool, own(bot_source(body)), seeded(20), RULES)
    assert result.mode == "lockstep"
    assert [(tick, verdict) for tick, verdict, _ in result.endings] == [(3, Verdict.TIMEOUT)]
    assert result.play is not None
    assert [order.tick for order in result.play.ledger.orders] == [n for n in range(20) if n != 3]


@pytest.mark.system
def test_an_endless_loop_ends_in_quarantine_and_hurts_nobody(pool: Pool) -> None:
    market = seeded(25)
    alone = backtest(pool, own(bot_source(BUY, name="Good")), market, RULES)
    both = backtest(pool, own(bot_source("while True: pass", name="Bad"), bot_source(BUY, name="Good")), market, RULES)
    assert (both[0].status, both[0].mode, both[1].mode) == ("quarantined", "lockstep", "run-ahead")
    assert both[0].note.startswith("Played again in lockstep: in run-ahead, after tick 0, it used more than")
    assert report.order_rows(alone) == report.order_rows(both[1:])
    assert both[0].play is not None
    assert [row[0] for row in both[0].play.ledger.equity] == [0, 10, 20, 24]


def test_csv_has_plain_floats_empty_nulls_and_no_formula(calm: Pool, tmp_path: Path) -> None:
    market = seeded(4)
    results = backtest(calm, own(bot_source(f"{BUY}\n{BUY.replace('0.01', '-1')}", name="=1+1")), market, RULES)
    path = tmp_path / "orders.csv"
    report.write_csv(path, report.ORDER_COLUMNS, report.order_rows(results))
    raw = path.read_bytes()
    assert b"\r" not in raw
    lines = raw.decode().splitlines()
    assert lines[0] == "time,bot_name,symbol,side,size,status,reason,fill_time,fill_price,fill_size"
    assert lines[1].startswith("1700000000.0,'=1+1,BTCUSDT,BUY,0.01,filled,,1700000060.0,")
    assert lines[2].startswith("1700000000.0,'=1+1,BTCUSDT,BUY,-1.0,rejected,Invalid order size: -1")
    assert lines[2].endswith(",,,")


def test_prices_that_are_missing_are_the_same_in_both_modes(calm: Pool) -> None:
    market = seeded(300)
    market.rows[:40, 2] = np.nan
    market.rows[100:110, 2] = np.nan
    market = RecordedMarket(SYMBOLS, market.rows)
    ahead = told(backtest(calm, shipped(), market, RULES), market)
    step = told(backtest(calm, shipped(), market, RULES, run=1), market)
    assert json.dumps(ahead) == json.dumps(step)


def test_a_run_whose_talk_grows_long_ends_early_and_loses_nothing(calm: Pool) -> None:
    market = seeded(900)
    talker = own(bot_source(f"ctx.log('x' * 900)\n{BUY.replace('0.01', '0.001')}"))
    (ahead,) = backtest(calm, talker, market, RULES)
    (step,) = backtest(calm, talker, market, RULES, run=1)
    assert ahead.mode == "run-ahead"
    assert told([ahead], market)["logs"] == told([step], market)["logs"]
    assert told([ahead], market)["orders"] == told([step], market)["orders"]
    assert sum(row["message"].startswith("xxx") for row in told([ahead], market)["logs"]) == 900


@pytest.mark.parametrize("bots", [1, 3])
@pytest.mark.parametrize("run", [1, 512])
def test_pinning_changes_no_result_and_is_undone(calm: Pool, bots: int, run: int) -> None:
    market, before = seeded(120), os.sched_getaffinity(0)
    entries = check_candidates(calm, shipped()[:bots])
    pinned = play_entries(calm, entries, market, RULES, run=run, pin=True)
    assert os.sched_getaffinity(0) == before
    free = play_entries(calm, entries, market, RULES, run=run)
    assert json.dumps(told(pinned, market)) == json.dumps(told(free, market))


def test_one_cpu_is_enough(calm: Pool) -> None:
    market, before = seeded(120), os.sched_getaffinity(0)
    entries = check_candidates(calm, shipped()[:2])
    os.sched_setaffinity(0, {min(before)})
    try:
        results = play_entries(calm, entries, market, RULES, pin=True)
        assert os.sched_getaffinity(0) == {min(before)}
    finally:
        os.sched_setaffinity(0, before)
    assert [result.status for result in results] == ["ok", "ok"]


@pytest.mark.system
@pytest.mark.parametrize("run", [1, 20])
def test_a_mirror_that_differs_costs_the_bot_its_place_and_no_other(run: int) -> None:
    market = seeded(400)
    pool = Pool("tests.engine.cheats:Cheat", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0, uid_base=35_000))
    pool.start()
    try:
        alone = backtest(pool, own(bot_source(BUY, name="Good")), market, RULES, run=run)
        both = backtest(pool, own(bot_source(BUY, name="Cheat"), bot_source(BUY, name="Good")), market, RULES, run=run)
    finally:
        pool.stop()
    assert (both[0].status, both[0].mode) == ("quarantined", "lockstep")
    assert {verdict for _, verdict, _ in both[0].endings} == {Verdict.PROTOCOL_ERROR}
    assert "differs" in both[0].endings[0][2]
    assert both[0].endings[0][0] == 2
    assert report.order_rows(alone) == report.order_rows(both[1:])


def test_an_equity_curve_reads_like_a_list_of_rows() -> None:
    rows = [(n, 1.5 * n, 100.0 + n, 0.25, -1.0, 99.0) for n in range(0, 50, 10)]
    curve, other = EquityCurve(), EquityCurve()
    assert not curve
    curve.extend(np.array(rows).tobytes())
    assert (len(curve), list(curve), curve[0], curve[-1], curve[1:3]) == (5, rows, rows[0], rows[-1], rows[1:3])
    assert type(curve[2][0]) is int
    assert curve == rows
    assert curve != other
    other.extend(np.array(rows).tobytes())
    assert curve == other
    with pytest.raises(IndexError):
        curve[5]


def test_orders_on_a_halted_symbol_are_rejected_ahead_as_in_lockstep(calm: Pool) -> None:
    market = seeded(8)
    market.conditions = {n: Conditions({"BTCUSDT": "Trading of BTCUSDT is halted (News)"}) for n in (3, 4)}
    ahead = backtest(calm, own(bot_source(BUY)), market, RULES)
    statuses = ["filled", "filled", "rejected", "rejected", "filled", "filled", "filled", "expired"]
    assert [row["status"] for row in report.order_rows(ahead)] == statuses
    assert report.order_rows(ahead)[2]["reason"] == "Trading of BTCUSDT is halted (News)"
    assert told(ahead, market) == told(backtest(calm, own(bot_source(BUY)), market, RULES, run=1), market)

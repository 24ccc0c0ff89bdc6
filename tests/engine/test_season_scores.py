"""The score clock of a season that really ticks: its rows, its board, and the same after a restart."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from arena.core.baselines import Baselines
from arena.engine.seat import Seat
from arena.store import queries
from arena.store.seasons import SeasonPlan
from tests.arenas import bot_source
from tests.engine.conftest import Hand, plan_of

BUYER = bot_source('if ctx.get_position("BTCUSDT") == 0:\n    ctx.submit_order("BTCUSDT", "BUY", 0.1)', name="Buyer")
IDLER = bot_source(name="Idler")


def plan() -> SeasonPlan:
    """Return a plan with a score point every third tick."""
    return dataclasses.replace(plan_of(), score_interval=30.0)


def board(hand: Hand) -> list[dict[str, object]]:
    rows = queries.board(hand.database, hand.season_id)
    named = ("name", "sharpe", "periods", "excess_pct", "verdict", "verdict_next", "tie_first", "tie_last", "batches")
    return [{name: row[name] for name in named} for row in rows]


def points(hand: Hand) -> list[tuple[int, int, float]]:
    return [
        (n, t, time)
        for n, t, time in hand.rows("SELECT n, tick, time FROM score_points WHERE season_id = :season ORDER BY n")
    ]


def test_points_come_at_the_clock_and_hold_what_the_bots_are_worth(deal: Callable[..., Hand]) -> None:
    hand = deal(plan=plan())
    idler, buyer = hand.admit(IDLER), hand.admit(BUYER)
    hand.tick(31)
    assert [tick for _, tick, _ in points(hand)] == list(range(0, 31, 3))
    rows = hand.rows("SELECT joined, equities FROM score_points WHERE season_id = :season ORDER BY n DESC")
    found = np.frombuffer(rows[0][1], dtype="<f8")
    assert found.tolist() == [idler.equity, buyer.equity]
    assert found[0] == 10_000.0 != found[1]


def test_the_board_carries_periods_excess_and_ties(deal: Callable[..., Hand]) -> None:
    hand = deal(plan=plan())
    hand.admit(IDLER)
    hand.admit(BUYER)
    hand.tick(121)
    summary = queries.board_summary(hand.database, hand.season_id)
    prices = hand.engine.market.last_prices
    # The first ten of a batch of 300 s, so far too little to tell anybody apart.
    assert {row["periods"] for row in board(hand)} == {40}
    assert {(row["tie_first"], row["tie_last"], row["verdict"]) for row in board(hand)} == {(1, 2, "not yet")}
    assert "cannot be told apart" in summary["separation"] or "may be luck" in summary["separation"]
    again = Baselines(hand.engine.scores.baselines.symbols, hand.engine.rules, hand.engine.scores.baselines.seed)
    first = hand.rows("SELECT prices FROM score_points WHERE season_id = :season ORDER BY n LIMIT 1")
    assert first
    again.held = dict(hand.engine.scores.baselines.held)
    expected = again.equities(prices)
    assert [each["equity"] for each in summary["baselines"]] == list(expected.values())
    idler = next(row for row in board(hand) if row["name"] == "Idler")
    gained = expected["equal weight"] / hand.engine.scores._first_points[seat_id(hand, "Idler")] - 1.0
    assert idler["excess_pct"] == pytest.approx(-gained * 100.0)
    assert summary["random_band"]["low"] <= summary["random_band"]["median"] <= summary["random_band"]["high"]


def seat_id(hand: Hand, name: str) -> str:
    return next(seat.id for seat in hand.engine.roster.seats() if seat.name == name)


def test_a_restart_changes_nothing(deal: Callable[..., Hand]) -> None:
    hand = deal(plan=plan())
    hand.admit(IDLER)
    hand.admit(BUYER)
    hand.tick(47)
    before = dataclasses.asdict(hand.engine.scores.comparisons._alone)
    random = hand.engine.scores.baselines.band(hand.engine.market.last_prices)
    scores = {seat.name: dataclasses.asdict(seat.score) for seat in hand.engine.roster.seats()}
    hand.restart()
    assert hand.engine.scores.baselines.band(hand.engine.market.last_prices) == random
    after = dataclasses.asdict(hand.engine.scores.comparisons._alone)
    assert {name: values.tolist() for name, values in after.items()} == {n: v.tolist() for n, v in before.items()}
    assert {seat.name: dataclasses.asdict(seat.score) for seat in hand.engine.roster.seats()} == scores
    hand.tick(10)
    ticks = [tick for _, tick, _ in points(hand)]
    assert ticks == list(range(0, 57, 3))


def test_a_bot_counts_from_its_first_point_on(deal: Callable[..., Hand]) -> None:
    hand = deal(plan=plan())
    hand.admit(IDLER)
    hand.tick(40)
    late: Seat = hand.admit(BUYER)
    hand.tick(41)
    row = next(each for each in board(hand) if each["name"] == late.name)
    first = -(-late.entry.admitted_tick // 3) * 3
    assert row["periods"] == (80 - first) // 3


def test_excess_counts_the_benchmark_from_the_first_tick_on(deal: Callable[..., Hand]) -> None:
    """Also before the bot's first score point, and after a restart between both."""
    hand = deal(plan=dataclasses.replace(plan_of(), score_interval=3000.0))
    hand.admit(IDLER)
    hand.tick(45)
    late = hand.admit(BUYER)
    hand.tick(1)
    scores = hand.engine.scores
    begun = scores.benchmark_equity(hand.engine.market.last_prices)
    assert late.id not in scores._first_points
    hand.restart()
    hand.tick(25)
    assert late.id not in hand.engine.scores._first_points
    market = dict(hand.rows("SELECT n, prices FROM ticks WHERE season_id = :season ORDER BY n"))
    last = hand.rows("SELECT MAX(tick) FROM standings WHERE season_id = :season")[0][0]
    row = next(each for each in queries.board(hand.database, hand.season_id) if each["name"] == "Buyer")
    prices = market[last]
    prices = prices if isinstance(prices, dict) else json.loads(prices)
    gained = hand.engine.scores.benchmark_equity(prices) / begun - 1.0
    assert gained != 0.0
    assert row["excess_pct"] == pytest.approx(row["return_pct"] - gained * 100.0)

"""What perfect foresight makes of a market, against sums that are done by hand and by brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.engine.backtest.foresight import MOST_CREDIBLE, Foresight
from arena.engine.backtest.market import RecordedMarket

START = 10_000.0


def market(*columns: list[float]) -> RecordedMarket:
    ticks = len(columns[0])
    rows = np.column_stack([np.arange(float(ticks)), *map(np.array, columns)])
    return RecordedMarket(tuple(f"S{n}" for n in range(len(columns))), rows)


def best(prices: list[list[float]], into: float, out: float) -> float:
    """Return the most that any plan makes: at each tick in cash (-1) or in one symbol."""
    most = 1.0
    ticks = len(prices[0])
    for plan in itertools.product(range(-1, len(prices)), repeat=ticks - 1):
        worth, where = 1.0, -1
        for n, aim in enumerate(plan):
            if aim != where:
                worth *= (out if where >= 0 else 1.0) * (into if aim >= 0 else 1.0)
                where = aim
            worth *= prices[aim][n + 1] / prices[aim][n] if aim >= 0 else 1.0
        most = max(most, worth * (out if where >= 0 else 1.0))
    return most


@pytest.mark.parametrize("costs", [(0.0, 0.0), (100.0, 0.0), (50.0, 200.0)])
def test_the_whole_of_foresight_is_a_share_of_one(costs: tuple[float, float]) -> None:
    chance = np.random.default_rng(3)
    prices = [[float(p) for p in 100 * np.exp(np.cumsum(chance.normal(0, 0.05, 6)))] for _ in range(2)]
    fee, slip = costs
    rules = Rules(START, fee, slip)
    into, out = 1 / ((1 + slip / 1e4) * (1 + fee / 1e4)), (1 - slip / 1e4) * (1 - fee / 1e4)
    whole = best(prices, into, out)
    # Nothing can be bought before the second tick, so one of no meaning stands before.
    foresight = Foresight(market(*[[50.0, *column] for column in prices]), rules)
    assert foresight.share(START * whole) == pytest.approx(1.0)
    held = max(0.0, *(math.log(column[-1] / column[0] * into) for column in prices))
    half = math.exp((math.log(whole) + held) / 2)
    assert foresight.share(START * half) == pytest.approx(0.5)


def test_the_best_symbol_held_throughout_is_no_foresight_at_all() -> None:
    foresight = Foresight(market([100.0 * 1.01**n for n in range(200)]), Rules(START))
    assert foresight.share(START * 1.01**198) == pytest.approx(0.0, abs=1e-9)
    # More than any foresight could make is beyond belief whatever the market.
    assert foresight.share(START * 1.01**250) > MOST_CREDIBLE


def test_a_loss_is_never_beyond_belief_and_a_market_without_moves_has_no_gain() -> None:
    foresight = Foresight(market([100.0, 100.0, 100.0]), Rules(START))
    assert foresight.share(START * 0.9) == 0.0
    assert foresight.share(START * 1.1) == 1.0
    assert Foresight(market([100.0]), Rules(START)).share(START) == 0.0


def test_a_missing_price_is_no_move() -> None:
    nan = float("nan")
    foresight = Foresight(market([1.0, nan, nan, 100.0, 110.0, 100.0], [nan] * 6), Rules(START))
    assert foresight.share(START * 110) == pytest.approx(1.0)

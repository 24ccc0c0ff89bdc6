"""Who stands above whom, and the measures beside the name (CONTRACT section 7)."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics

import numpy as np
import pytest

from arena.core.scoring import MIN_SHARPE_RETURNS, SECONDS_A_YEAR, Contender, Score, ranked


def test_rank_is_equity_then_drawdown_then_admission_then_name() -> None:
    best_first = [
        Contender("z", 200.0, 50.0, 9.0), Contender("y", 100.0, 1.0, 9.0), Contender("x", 100.0, 2.0, 1.0),
        Contender("a", 100.0, 2.0, 2.0), Contender("b", 100.0, 2.0, 2.0),
    ]  # fmt: skip
    for order in itertools.permutations(best_first):
        assert list(ranked(order)) == best_first


def walk(seed: int, steps: int) -> list[float]:
    chance = np.random.default_rng(seed)
    return [float(value) for value in 10_000 * np.exp(np.cumsum(chance.normal(0, 0.01, steps)))]


def test_drawdown_is_from_the_highest_so_far() -> None:
    score = Score(100.0)
    for equity in (100.0, 120.0, 90.0, 150.0, 120.0):
        score.mark(equity, exposed=True)
    assert score.metrics(120.0, 0.0, 10.0).max_drawdown_pct == pytest.approx(25.0)


@pytest.mark.parametrize("seed", range(5))
def test_many_marks_at_once_are_the_same_bits_as_one_by_one(seed: int) -> None:
    one, many = Score(10_000.0), Score(10_000.0)
    equities = walk(seed, 500)
    for equity in equities:
        one.mark(equity, exposed=True)
    for start in range(0, 500, 37):
        many.mark_many(np.array(equities[start : start + 37]), exposed=True)
    assert dataclasses.asdict(one) == dataclasses.asdict(many)


def test_sharpe_is_the_textbooks_and_unknown_while_there_is_little() -> None:
    equities = walk(3, 60)
    score = Score(equities[0])
    for number, equity in enumerate(equities):
        score.snapshot(equity)
        if number < MIN_SHARPE_RETURNS:
            assert score.metrics(equity, 0.0, 10.0).sharpe is None
    returns = [after / before - 1 for before, after in itertools.pairwise(equities)]
    expected = statistics.fmean(returns) / statistics.stdev(returns) * math.sqrt(SECONDS_A_YEAR / 10.0)
    assert score.metrics(equities[-1], 0.0, 10.0).sharpe == pytest.approx(expected)


def test_a_flat_line_has_no_sharpe() -> None:
    score = Score(100.0)
    for _ in range(100):
        score.snapshot(100.0)
    assert score.metrics(100.0, 0.0, 10.0).sharpe is None


def test_wins_are_sells_with_a_gain() -> None:
    score = Score(1000.0)
    assert score.metrics(1000.0, 0.0, 10.0).win_rate_pct is None
    score.fill(100.0, 0.0, is_sell=False)
    for realized in (5.0, -1.0, 0.0, 2.0):
        score.fill(50.0, realized, is_sell=True)
    found = score.metrics(1000.0, 1.5, 10.0)
    assert (found.win_rate_pct, found.turnover, found.fees) == (50.0, 0.3, 1.5)

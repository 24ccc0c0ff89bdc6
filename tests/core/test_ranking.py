"""Who stands above whom, and the measures beside the name."""

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
    assert score.metrics(120.0, 0.0).max_drawdown_pct == pytest.approx(25.0)


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
        score.point(equity, 10.0 * number)
        if number < MIN_SHARPE_RETURNS:
            assert score.metrics(equity, 0.0).sharpe is None
    returns = [after / before - 1 for before, after in itertools.pairwise(equities)]
    expected = statistics.fmean(returns) / statistics.stdev(returns) * math.sqrt(SECONDS_A_YEAR / 10.0)
    found = score.metrics(equities[-1], 0.0)
    assert found.sharpe == pytest.approx(expected)
    assert found.periods_a_year == pytest.approx(SECONDS_A_YEAR / 10.0)


def test_nights_and_weekends_have_no_periods_of_their_own() -> None:
    score, equities, weeks = Score(10_000.0), iter(walk(4, 10_000)), 8
    week, days = 7 * 86_400.0, [day for day in range(weeks * 7) if day % 7 < 5]
    for day in days:
        # 6.5 hours of minutes, of which every tenth is an equity row.
        for minute in range(0, 390, 10):
            score.point(next(equities), day * 86_400.0 + 34_200.0 + minute * 60.0)
    found = score.metrics(10_000.0, 0.0)
    assert found.periods_a_year is not None
    assert found.sharpe is not None
    whole = len(days) * 39 / (weeks * week) * SECONDS_A_YEAR
    # The first and the last day have only one side of a night.
    assert found.periods_a_year == pytest.approx(whole, rel=0.06)
    assert whole == pytest.approx(39 * 365 * 5 / 7)
    # Counted by the clock's minutes it came out more than twice as high.
    assert math.sqrt(SECONDS_A_YEAR / 600.0 / found.periods_a_year) == pytest.approx(2.27, rel=0.04)


def test_a_score_stored_before_times_were_kept_counts_from_where_they_are() -> None:
    score = Score(100.0, last_equity=100.0, returns=50, return_mean=0.001, return_m2=0.01)
    assert score.metrics(100.0, 0.0).sharpe is None
    for number in range(31):
        score.point(100.0 + number % 3, 60.0 * number)
    assert score.metrics(100.0, 0.0).periods_a_year == pytest.approx(SECONDS_A_YEAR / 60.0)


def test_a_fee_on_the_first_tick_is_a_drawdown() -> None:
    one, many = Score(100.0), Score(100.0)
    for equity in (99.0, 98.0, 99.5):
        one.mark(equity, exposed=True)
    many.mark_many(np.array([99.0, 98.0, 99.5]), exposed=True)
    assert one.metrics(99.5, 0.0).max_drawdown_pct == pytest.approx(2.0)
    assert dataclasses.asdict(one) == dataclasses.asdict(many)


def test_a_flat_line_has_no_sharpe() -> None:
    score = Score(100.0)
    for number in range(100):
        score.point(100.0, float(number))
    assert score.metrics(100.0, 0.0).sharpe is None


def test_wins_are_sells_with_a_gain() -> None:
    score = Score(1000.0)
    assert score.metrics(1000.0, 0.0).win_rate_pct is None
    score.fill(100.0, 0.0, is_sell=False)
    for realized in (5.0, -1.0, 0.0, 2.0):
        score.fill(50.0, realized, is_sell=True)
    found = score.metrics(1000.0, 1.5)
    assert (found.win_rate_pct, found.turnover, found.fees) == (50.0, 0.3, 1.5)

"""Verdicts of a watched board, computed here again from all batches at once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from arena.core.comparisons import ALPHA, BoardComparisons, batch_schedule
from arena.core.separation import rounded, separation_words
from arena.core.statistics.dependence import are_dependent
from arena.core.statistics.sequences import (
    Comparison,
    Sequences,
    batches_to_separate,
    batches_to_separate_many,
    estimated_boundary,
)

NAMES = [f"b{n}" for n in range(6)]


def play(returns: np.ndarray, score_interval: float = 300.0, tolerance: float = 0.0) -> BoardComparisons:
    board = BoardComparisons(score_interval, tolerance)
    equities = np.full(returns.shape[1], 10_000.0)
    names = NAMES[: returns.shape[1]]
    board.point(dict(zip(names, equities.tolist(), strict=True)), 10_000.0)
    for row in returns:
        equities = equities * (1.0 + row)
        board.point(dict(zip(names, equities.tolist(), strict=True)), 10_000.0)
    return board


def white(seed: int, looks: int, bots: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 1e-3, (looks, bots))


def test_the_verdict_is_that_of_the_formula_over_all_batches() -> None:
    returns = white(1, 200, 3) + np.array([0.001, 0.0, -0.001])
    board = play(returns)
    rows = board.judge(NAMES[:3])
    pairs = 2 * 3 - 1
    lagged = [float(np.corrcoef(each[1:], each[:-1])[0, 1]) for each in returns.T]
    # What is left of the memory after the bias is taken away, and its standard error.
    lagged = [r + (1 + 4 * r) / 200 for r in lagged]
    for place, row in enumerate(rows):
        series = returns[:, place]
        rho = max(0.0, np.median(lagged) + 1 / math.sqrt(200 * 3), lagged[place] - 1 / math.sqrt(200))
        width = float(estimated_boundary(200.0 * (1 - rho) / (1 + rho), ALPHA / pairs)) * series.std(ddof=1)
        expected = (
            Comparison.AHEAD if series.mean() > width
            else Comparison.BEHIND if series.mean() < -width else Comparison.NOT_YET
        )  # fmt: skip
        assert row.against_benchmark is expected
        assert row.batches == 200
    assert [row.against_benchmark for row in rows] == [Comparison.AHEAD, Comparison.NOT_YET, Comparison.BEHIND]
    assert rows[0].against_next is Comparison.AHEAD
    assert [(row.tie_first, row.tie_last) for row in rows] == [(1, 1), (2, 2), (3, 3)]


def test_pairs_kept_from_look_to_look_say_what_they_say_anew() -> None:
    returns = white(2, 160, 5)
    watched = BoardComparisons(300.0, 0.0)
    equities = np.full(5, 10_000.0)
    watched.point(dict(zip(NAMES, equities.tolist(), strict=False)), 10_000.0)
    for row in returns:
        equities = equities * (1.0 + row)
        watched.point(dict(zip(NAMES[:5], equities.tolist(), strict=True)), 10_000.0)
        order = [NAMES[place] for place in np.argsort(-equities)]
        said = watched.judge(order)
    fresh = play(returns).judge(order)
    assert [row[:5] for row in said] == [row[:5] for row in fresh]
    more = [row.more_batches for row in said if row.more_batches is not None]
    assert more == pytest.approx([row.more_batches for row in fresh if row.more_batches is not None])


def test_nothing_is_said_before_thirty_batches() -> None:
    board = play(white(3, 29, 2) * 1e-3 + np.array([0.01, -0.01]))
    assert {row.against_benchmark for row in board.judge(NAMES[:2])} == {Comparison.NOT_YET}
    assert {row.tie_last for row in board.judge(NAMES[:2])} == {2}


def test_copies_are_equivalent_and_tied() -> None:
    returns = np.repeat(white(4, 60, 1), 2, axis=1)
    rows = play(returns, tolerance=0.002).judge(NAMES[:2])
    assert rows[0].against_next is Comparison.EQUIVALENT
    assert (rows[0].tie_first, rows[1].tie_last) == (1, 2)


def test_a_batch_is_five_minutes_at_least() -> None:
    board = play(white(5, 29, 1), score_interval=10.0)
    assert board.batch == 30
    assert board.batches == 0
    assert play(white(5, 90, 1), score_interval=10.0).batches == 3


def test_a_bot_that_came_later_is_compared_since_then_only() -> None:
    board, equities, late = BoardComparisons(300.0, 0.0), [10_000.0, 10_000.0], 10_000.0
    chance = np.random.default_rng(6)
    lead = []
    for n in range(120):
        equities = [value * (1.0 + chance.normal(0.0004 if n < 60 else 0.0, 1e-3)) for value in equities]
        given = dict(zip(NAMES[:2], equities, strict=True))
        if n >= 60:
            before = late
            late *= 1.0 + chance.normal(0.0, 1e-3)
            given["b2"] = late
            if n > 60:
                lead.append(late / before - 1.0)
        board.point(given, 10_000.0)
    rows = board.judge(["b0", "b2"])
    assert rows[1].batches == len(lead) == 59
    # What b0 gained before the other was there does not count.
    assert rows[0].against_next is Comparison.NOT_YET
    assert board.series("b2") == pytest.approx(lead)


def test_one_that_has_left_keeps_what_it_had_and_stays_in_the_split() -> None:
    board = play(white(7, 50, 3))
    board.point({"b0": 10_000.0, "b1": 10_000.0}, 10_000.0)
    board.point({"b0": 10_000.0, "b1": 10_000.0}, 10_000.0)
    assert len(board.series("b2")) == 50
    assert len(board.series("b0")) == 52
    assert board.pairs_shown == 5


def test_batches_lengthen_where_returns_remember() -> None:
    own = white(8, 300, 4)
    for n in range(1, 300):
        own[n] += 0.5 * own[n - 1]
    board = play(own)
    assert board.batch >= 8
    assert board.batch & (board.batch - 1) == 0
    kept = board.batches * board.batch
    assert board.series("b1") == pytest.approx(own[:kept, 1].reshape(-1, board.batch).mean(axis=1))
    assert play(white(9, 300, 4)).batch == 1
    assert batch_schedule([*own.T], 300.0)[-1] == board.batch


def test_ticks_to_separate_count_what_has_not_been_seen_yet() -> None:
    """On a market that has fallen, a bot of small gains needs longer, and says so."""
    calm, fallen = BoardComparisons(300.0, 0.0), BoardComparisons(300.0, 0.0)
    chance, equities = np.random.default_rng(13), [10_000.0, 10_000.0]
    for n in range(60):
        equities = [
            value * (1.0 + chance.normal(drift, 1e-3)) for value, drift in zip(equities, (6e-4, 0.0), strict=True)
        ]
        given = dict(zip(NAMES[:2], equities, strict=True))
        calm.point(given, 10_000.0)
        fallen.point(given, 10_000.0, 0.02 if n == 30 else 0.0)
    soon, late = (board.judge(["b0", "b1"])[0].more_batches for board in (calm, fallen))
    assert soon is not None
    assert late is not None
    assert late > soon


def test_memory_is_seen_and_chance_is_not() -> None:
    own = [np.zeros(200) for _ in range(5)]
    for series, noise in zip(own, white(10, 200, 5).T, strict=True):
        for n in range(1, 200):
            series[n] = 0.4 * series[n - 1] + noise[n]
    assert are_dependent(own)
    assert not are_dependent(list(white(11, 200, 5).T))
    assert not are_dependent([])
    assert not are_dependent([np.zeros(100)])


def test_an_account_at_zero_is_no_number_too_many() -> None:
    board = BoardComparisons(300.0, 0.0)
    for equity in (10_000.0, 0.0, 0.0, 0.0):
        board.point({"b0": equity}, 10_000.0)
    assert board.series("b0").tolist() == [-1.0, 0.0, 0.0]


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 39, 0.05 / 1999])
def test_batches_to_separate_of_many_are_those_of_each(alpha: float) -> None:
    chance = np.random.default_rng(12)
    count = np.array([40.0, 40.0, 1.0, 50.0, 60.0])
    mean = np.array([0.002, -1e-5, 0.1, 0.0, 0.3])
    squares = chance.uniform(1e-5, 1e-3, 5)
    states = Sequences(count, mean, squares)
    many = batches_to_separate_many(states, alpha)
    for place in range(5):
        one = batches_to_separate(mean[place], float(states.deviation[place]), alpha) if count[place] >= 2 else None
        if one is None:
            assert math.isinf(many[place])
        else:
            assert abs(many[place] - one) <= 1.0


def test_what_the_board_says_of_its_ranks() -> None:
    assert separation_words([(1, 4)] * 4, 50, 2_281) == (
        "#1 to #4 cannot be told apart yet; about 2,300 more ticks at this spread until #1 separates from #2."
    )
    assert separation_words([(1, 1), (2, 2)], 50, 0).startswith("#1 is ahead of #2 by more than luck")
    assert separation_words([(1, 2), (1, 2)], 12, None) == (
        "Nothing can be told apart before 30 batches of returns, 12 so far: the order may be luck."
    )
    assert "No bot" in separation_words([], 0, None)
    assert "One bot" in separation_words([(1, 1)], 99, None)
    assert [rounded(n) for n in (0, 7, 99, 101, 2_281, 19_999)] == [0, 7, 99, 110, 2_300, 20_000]

"""The confidence sequence covers the truth at all looks together, where the usual interval does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from arena.core.statistics import sequences
from arena.core.statistics.dependence import autocorrelations, inflation
from arena.core.statistics.sequences import Comparison, Sequences, boundary, compare, estimated_boundary

ALPHA = 0.05


def ever_missed(draws: np.ndarray, tightest_at: float) -> tuple[float, float]:
    """Return how often the sequence, and how often mean ± 1.96 s/√n, excludes 0 at some look from 30 on."""
    count = np.arange(1, draws.shape[1] + 1)
    mean = np.cumsum(draws, axis=1) / count
    squares = np.cumsum(draws**2, axis=1) - count * mean**2
    deviation = np.sqrt(squares / np.maximum(count - 1, 1))
    late = slice(sequences.MIN_BATCHES - 1, None)
    width = boundary(count.astype(float), ALPHA, tightest_at)
    sequence = np.any(np.abs(mean)[:, late] > (deviation * width)[:, late], axis=1)
    fixed = np.any(np.abs(mean)[:, late] > (1.96 * deviation / np.sqrt(count))[:, late], axis=1)
    return float(sequence.mean()), float(fixed.mean())


@pytest.mark.parametrize("tightest_at", [100.0, 500.0])
@pytest.mark.parametrize("tails", ["normal", "student"])
def test_watched_at_every_look_it_errs_at_most_so_often(tails: str, tightest_at: float) -> None:
    chance = np.random.default_rng(11)
    shape = (1500, 2000)
    draws = chance.normal(size=shape) if tails == "normal" else chance.standard_t(4, size=shape)
    sequence, fixed = ever_missed(draws, tightest_at)
    assert sequence <= 0.06
    assert fixed > 0.40


def test_the_boundary_is_the_formula_at_a_point_worked_out_by_hand() -> None:
    rho2 = (-2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))) / 100
    t = 200.0
    expected = math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(math.sqrt(t * rho2 + 1) / 0.05))
    assert float(boundary(t, 0.05)) == pytest.approx(expected, rel=1e-12)
    assert float(boundary(0.0, 0.05)) == math.inf


def test_the_boundary_falls_and_is_tightest_where_it_was_asked_to_be() -> None:
    counts = np.arange(1.0, 5000.0)
    assert np.all(np.diff(boundary(counts, ALPHA)) < 0)
    scaled = [float(boundary(100.0, ALPHA, at)) for at in (10.0, 50.0, 100.0, 200.0, 1000.0)]
    assert min(scaled) == scaled[2]


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1.0, 2.0])
def test_alpha_is_checked(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        boundary(10.0, alpha)
    with pytest.raises(ValueError, match="alpha"):
        estimated_boundary(10.0, alpha)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 39, 0.05 / 1999])
def test_an_estimated_spread_makes_the_boundary_wider_while_batches_are_few(alpha: float) -> None:
    counts = np.array([30.0, 100.0, 1000.0, 1e6])
    ratio = estimated_boundary(counts, alpha) / boundary(counts, alpha)
    assert np.all(ratio > 1.0)
    assert np.all(np.diff(ratio) < 0.0)
    assert ratio[-1] == pytest.approx(1.0, abs=1e-3)


def test_the_estimated_boundary_is_where_the_mixture_of_students_t_reaches_one_over_alpha() -> None:
    alpha, n = 0.05 / 39, 30.0
    rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / 100
    squared = float(estimated_boundary(n, alpha)) ** 2 * n  # t of that mean in standard deviations, squared
    shrink = 1 / (1 + n * rho2)
    e = math.sqrt(shrink) * ((1 + squared / (n - 1)) / (1 + shrink * squared / (n - 1))) ** (n / 2)
    assert e == pytest.approx(1 / alpha, rel=1e-9)


def test_at_a_small_alpha_the_usual_boundary_errs_too_often_and_the_estimated_one_does_not() -> None:
    alpha = 0.005
    draws = np.random.default_rng(21).normal(size=(8000, 60))
    count = np.arange(1.0, 61.0)
    mean = np.cumsum(draws, axis=1) / count
    deviation = np.sqrt((np.cumsum(draws**2, axis=1) - count * mean**2) / np.maximum(count - 1.0, 1.0))
    late = slice(9, None)
    count, mean, deviation = count[late], mean[:, late], deviation[:, late]
    missed = {
        name: float(np.any(np.abs(mean) > deviation * width(count, alpha, 10.0), axis=1).mean())
        for name, width in (("known", boundary), ("estimated", estimated_boundary))
    }
    assert missed["known"] > 2 * alpha
    assert missed["estimated"] <= alpha


def test_memory_is_measured_without_the_bias_of_short_series() -> None:
    chance = np.random.default_rng(4)
    values = chance.normal(size=(3000, 40))
    for n in range(1, 40):
        values[:, n] += 0.3 * values[:, n - 1]
    assert float(np.mean(autocorrelations(values))) == pytest.approx(0.3, abs=0.03)
    shown = autocorrelations(np.array([[1.0] * 20, [np.nan] * 20]))
    assert np.isnan(shown).all()


def test_what_remembers_counts_for_less() -> None:
    counts = np.full(20, 1e6)
    assert inflation(np.full(20, 0.3), counts) == pytest.approx(np.full(20, 1.3 / 0.7), rel=1e-2)
    # One that remembers among those that do not is seen by itself; what swings back is not taken for steadier.
    mixed = inflation(np.array([0.5] + [-0.3] * 19), counts)
    assert mixed[0] == pytest.approx(3.0, rel=1e-2)
    assert mixed[1:] == pytest.approx(np.ones(19))
    assert inflation(np.full(3, np.nan), np.zeros(3)).min() >= 1.0


def test_running_states_are_those_of_the_whole_series() -> None:
    draws = np.random.default_rng(3).normal(size=(50, 4))
    draws[:20, 1] = np.nan  # admitted later
    draws[:, 3] = 0.25
    state = Sequences.empty(4)
    for row in draws:
        state = state.after(row)
    for place in range(4):
        values = draws[~np.isnan(draws[:, place]), place]
        assert state.count[place] == len(values)
        assert state.mean[place] == pytest.approx(values.mean(), rel=1e-12)
        assert state.deviation[place] == pytest.approx(values.std(ddof=1), rel=1e-9, abs=1e-15)


def test_before_thirty_batches_nothing_is_said() -> None:
    state = Sequences.empty(1)
    for _ in range(29):
        state = state.after(np.array([1.0]))
    assert state.half_widths(ALPHA)[0] == math.inf
    assert compare(1.0, math.inf, 0.1) is Comparison.NOT_YET


@pytest.mark.parametrize(
    ("mean", "width", "said"),
    [
        (0.5, 0.4, Comparison.AHEAD), (-0.5, 0.4, Comparison.BEHIND), (0.5, 0.6, Comparison.NOT_YET),
        (0.01, 0.05, Comparison.EQUIVALENT), (0.08, 0.05, Comparison.AHEAD), (0.0, 0.0, Comparison.EQUIVALENT),
    ],
)  # fmt: skip
def test_what_an_interval_shows(mean: float, width: float, said: Comparison) -> None:
    assert compare(mean, width, 0.07) is said


def test_a_real_difference_separates_after_the_number_that_is_foretold() -> None:
    chance = np.random.default_rng(5)
    foretold = sequences.batches_to_separate(0.3, 1.0, ALPHA)
    assert foretold is not None
    seen = []
    for _ in range(200):
        draws = chance.normal(0.3, 1.0, size=3000)
        count = np.arange(1.0, 3001.0)
        mean = np.cumsum(draws) / count
        apart = np.flatnonzero((mean > boundary(count, ALPHA)) & (count >= 30))
        seen.append(int(apart[0]) + 1)
    assert np.median(seen) == pytest.approx(foretold, rel=0.25)


def test_no_difference_never_separates() -> None:
    assert sequences.batches_to_separate(0.0, 1.0, ALPHA) is None
    assert sequences.batches_to_separate(1e-9, 1.0, ALPHA) is None
    assert sequences.batches_to_separate(1.0, 0.0, ALPHA) == sequences.MIN_BATCHES


@pytest.mark.parametrize(
    ("separated", "bands"),
    [
        ([], [(1, 1)]),
        ([False, False], [(1, 3)] * 3),
        ([True, False], [(1, 1), (2, 3), (2, 3)]),
        ([False, True, True], [(1, 2), (1, 2), (3, 3), (4, 4)]),
    ],
)
def test_rows_that_cannot_be_told_apart_share_a_band(separated: list[bool], bands: list[tuple[int, int]]) -> None:
    assert sequences.tie_bands(np.array(separated, dtype=bool)) == bands


def test_an_e_value_is_large_only_for_a_real_difference_and_its_mean_is_at_most_one() -> None:
    draws = np.random.default_rng(9).normal(size=(4000, 200))
    mean, deviation = draws.mean(axis=1), draws.std(axis=1, ddof=1)
    values = sequences.e_value(mean, deviation, np.full(4000, 200.0))
    assert values.mean() <= 1.15
    strong = sequences.e_value(np.array([0.5]), np.array([1.0]), np.array([200.0]))
    assert strong[0] > 1 / ALPHA
    assert sequences.e_value(np.array([9.0]), np.array([1.0]), np.array([10.0]))[0] == 1.0


def test_the_e_value_and_the_boundary_agree() -> None:
    """The sequence excludes 0 exactly where the e-value passes 1/α."""
    batches = np.full(200, 150.0)
    mean = np.linspace(0.0, 0.6, 200)
    passed = sequences.e_value(mean, np.ones(200), batches) >= 1 / ALPHA
    assert np.array_equal(passed, mean >= boundary(batches, ALPHA))


def test_of_many_pairs_only_so_many_finds_are_false() -> None:
    values = np.array([500.0, 90.0, 41.0, 10.0, 1.0])
    assert list(sequences.e_benjamini_hochberg(values, 0.05)) == [True, True, True, False, False]
    assert not sequences.e_benjamini_hochberg(np.ones(4), 0.05).any()
    assert len(sequences.e_benjamini_hochberg(np.array([]), 0.05)) == 0

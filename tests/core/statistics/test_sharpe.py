"""Sharpe inference against the published vector, simulation, and an independent library."""

from __future__ import annotations

import math

import numpy as np
import pytest

from arena.core.statistics import sharpe
from arena.core.statistics.dependence import stationary_block_length
from arena.core.statistics.ratios import Moments, moments, sharpe_ratio

PAPER = Moments(1250, 0.0, 1.0, -3.0, 10.0, 0.0)
ANNUAL = math.sqrt(250)


def test_the_vector_of_the_deflated_sharpe_ratio() -> None:
    """Bailey and López de Prado, 2014, recomputed with the variance under the null."""
    assert sharpe.expected_best_sharpe(0.5 / 250, 100) == pytest.approx(0.113172, abs=1e-6)
    assert sharpe.deflated_sharpe(2.5 / ANNUAL, PAPER, 0.5 / 250, 100) == pytest.approx(0.912823, abs=1e-6)


def test_with_the_papers_own_variance_it_is_the_papers_figure() -> None:
    observed = 2.5 / ANNUAL
    variance = sharpe.sharpe_variance(observed, PAPER) * 1250 / 1249
    against = sharpe.expected_best_sharpe(0.5 / 250, 100)
    assert 0.5 * (1 + math.erf((observed - against) / math.sqrt(variance) / math.sqrt(2))) == pytest.approx(
        0.900397, abs=1e-6
    )


def test_one_trial_is_not_deflated() -> None:
    assert sharpe.expected_best_sharpe(0.1, 1) == 0.0
    assert sharpe.expected_best_sharpe(0.0, 50) == 0.0
    assert sharpe.deflated_sharpe(0.1, PAPER, 0.1, 1) == sharpe.probabilistic_sharpe(0.1, 0.0, PAPER)


def test_the_expected_best_is_that_of_simulated_trials() -> None:
    best = np.random.default_rng(2).normal(0, 0.05, size=(20_000, 50)).max(axis=1).mean()
    assert sharpe.expected_best_sharpe(0.05**2, 50) == pytest.approx(best, rel=0.02)


@pytest.mark.parametrize("rho", [0.0, 0.4, -0.3])
def test_the_variance_is_that_of_simulated_ratios(rho: float) -> None:
    chance, count, runs = np.random.default_rng(8), 600, 3000
    noise = chance.normal(size=(runs, count + 50))
    values = np.zeros_like(noise)
    for step in range(1, noise.shape[1]):
        values[:, step] = rho * values[:, step - 1] + noise[:, step]
    values = values[:, 50:] + 0.05
    found = np.var(values.mean(axis=1) / values.std(axis=1, ddof=1))
    true = 0.05 * math.sqrt(1 - rho**2)
    assert sharpe.sharpe_variance(true, Moments(count, 0, 1, 0, 3, rho)) == pytest.approx(found, rel=0.12)


def test_where_the_formula_has_no_answer_there_is_none() -> None:
    assert sharpe.probabilistic_sharpe(1.0, 0.0, Moments(1, 0, 0, 0, 3, 0)) is None
    assert sharpe.probabilistic_sharpe(0.1, 5.0, Moments(50, 0, 1, 3.0, 3.0, 0.0)) is None
    assert sharpe.minimum_track_record(0.1, 0.1, PAPER) is None
    assert math.isfinite(sharpe.sharpe_variance(0.1, Moments(50, 0, 1, 0, 3, 1.0)))


def test_the_minimum_track_record_is_where_the_probability_reaches_its_level() -> None:
    needed = sharpe.minimum_track_record(0.1, 0.0, PAPER)
    assert needed is not None
    there = Moments(math.ceil(needed), 0.0, 1.0, -3.0, 10.0, 0.0)
    assert sharpe.probabilistic_sharpe(0.1, 0.0, there) == pytest.approx(0.95, abs=1e-3)


def test_copies_count_once_and_independent_trials_each() -> None:
    returns = np.random.default_rng(4).normal(size=(5000, 6))
    assert sharpe.effective_trials(returns) == pytest.approx(6.0, rel=0.01)
    copies = np.column_stack([returns[:, 0]] * 5 + [returns[:, 1]])
    assert sharpe.effective_trials(copies) < 2.1
    assert sharpe.effective_trials(np.zeros((10, 3))) == 1.0
    assert sharpe.effective_trials(returns[:, :1]) == 1.0


def test_configurations_without_skill_are_overfitted_half_of_the_time() -> None:
    shares = [
        sharpe.backtest_overfitting(np.random.default_rng(seed).normal(size=(640, 20)), blocks=8) for seed in range(12)
    ]
    assert np.mean([share for share in shares if share is not None]) == pytest.approx(0.5, abs=0.12)


def test_a_configuration_with_a_real_edge_is_not() -> None:
    returns = np.random.default_rng(1).normal(size=(1600, 10))
    returns[:, 3] += 0.3
    assert sharpe.backtest_overfitting(returns) == 0.0


def test_copies_of_one_configuration_say_nothing_good() -> None:
    one = np.random.default_rng(1).normal(size=(320, 1)) + 0.2
    assert sharpe.backtest_overfitting(np.repeat(one, 5, axis=1), blocks=8) == 1.0


@pytest.mark.parametrize("shape", [(320, 1), (10, 5)])
def test_too_little_for_a_split_gives_no_probability(shape: tuple[int, int]) -> None:
    assert sharpe.backtest_overfitting(np.ones(shape)) is None


def test_an_odd_number_of_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        sharpe.backtest_overfitting(np.ones((100, 3)), blocks=5)


@pytest.mark.parametrize("phi", [0.0, 0.1, 0.3, 0.6, 0.9, -0.3])
@pytest.mark.parametrize("count", [60, 200, 1000])
def test_block_lengths_are_those_of_an_independent_library(phi: float, count: int) -> None:
    bootstrap = pytest.importorskip("arch.bootstrap", reason="arch is not installed")
    noise, values = np.random.default_rng(count).normal(size=count + 100), np.zeros(count + 100)
    for step in range(1, count + 100):
        values[step] = phi * values[step - 1] + noise[step]
    values = values[100:]
    expected = float(bootstrap.optimal_block_length(values)["stationary"].iloc[0])
    assert stationary_block_length(values) == pytest.approx(max(1.0, expected), rel=1e-9)


def test_a_series_without_variance_has_no_memory() -> None:
    assert stationary_block_length(np.zeros(100)) == 1.0
    assert stationary_block_length(np.arange(5.0)) == 1.0


def test_the_probability_of_skill_of_a_series() -> None:
    returns = np.random.default_rng(3).normal(0.1, 1.0, size=500)
    ratio = sharpe_ratio(returns)
    assert ratio is not None
    found = sharpe.probabilistic_sharpe(ratio, 0.0, moments(returns))
    assert found is not None
    assert 0.9 < found < 1.0

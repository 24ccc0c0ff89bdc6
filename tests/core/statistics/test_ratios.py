"""Ratios against an independent library, and at the edges where they are undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest

from arena.core.statistics import ratios

empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed")
DAYS = 252


def series(seed: int, count: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, size=count) * 0.01 + 0.0004


@pytest.mark.parametrize("seed", range(5))
def test_ratios_are_those_of_an_independent_library(seed: int) -> None:
    returns = series(seed)
    equity = np.cumprod(np.concatenate([[1.0], 1.0 + returns]))
    fall = ratios.drawdown(equity)
    annual = math.sqrt(DAYS)
    expected = {
        "sharpe": (ratios.sharpe_ratio(returns) or 0.0) * annual,
        "sortino": (ratios.sortino_ratio(returns) or 0.0) * annual,
        "volatility": ratios.volatility(returns, DAYS),
        "growth": ratios.annual_growth(returns, DAYS),
        "calmar": ratios.calmar_ratio(returns, fall.depth, DAYS),
        "drawdown": -fall.depth,
    }
    found = {
        "sharpe": empyrical.sharpe_ratio(returns),
        "sortino": empyrical.sortino_ratio(returns),
        "volatility": empyrical.annual_volatility(returns),
        "growth": empyrical.cagr(returns),
        "calmar": empyrical.calmar_ratio(returns),
        "drawdown": empyrical.max_drawdown(returns),
    }
    assert expected == pytest.approx(found, rel=1e-9)


def test_returns_are_read_off_an_equity_curve() -> None:
    assert ratios.returns_of(np.array([100.0, 110.0, 99.0])) == pytest.approx([0.1, -0.1])
    assert len(ratios.returns_of(np.array([100.0]))) == 0


def test_a_curve_that_reaches_nothing_ends_there() -> None:
    assert ratios.returns_of(np.array([100.0, 0.0, 50.0])) == pytest.approx([-1.0])
    assert ratios.annual_growth(np.array([-1.0]), DAYS) == -1.0


@pytest.mark.parametrize("returns", [[], [0.01], [0.01] * 50, [0.0] * 50, [0.1 + 1e-17] * 40])
def test_without_variance_there_is_no_ratio(returns: list[float]) -> None:
    values = np.array(returns)
    assert ratios.sharpe_ratio(values) is None
    assert ratios.volatility(values, DAYS) is None


def test_without_a_loss_there_is_no_sortino_and_without_a_fall_no_calmar() -> None:
    gains = np.array([0.01, 0.02, 0.0])
    assert ratios.sortino_ratio(gains) is None
    assert ratios.calmar_ratio(gains, 0.0, DAYS) is None


def test_growth_beyond_doubles_is_not_told() -> None:
    assert ratios.annual_growth(np.array([1.0] * 10), 1e6) is None


def test_drawdown_says_depth_length_and_where_it_stands() -> None:
    equity = np.array([100.0, 90.0, 95.0, 100.0, 120.0, 60.0, 90.0, 130.0, 117.0])
    assert ratios.drawdown(equity) == ratios.Drawdown(0.5, 2, pytest.approx(0.1), 2)


def test_a_drawdown_that_has_not_ended_counts_to_the_end() -> None:
    assert ratios.drawdown(np.array([100.0, 80.0, 90.0, 95.0])) == ratios.Drawdown(0.2, 3, pytest.approx(0.05), 3)


@pytest.mark.parametrize("equity", [[], [1.0], [1.0, 2.0, 3.0], [-5.0, -4.0]])
def test_a_curve_that_never_falls_has_no_drawdown(equity: list[float]) -> None:
    assert ratios.drawdown(np.array(equity)) == ratios.Drawdown(0.0, 0, 0.0, 0)


def test_figures_of_closed_trades() -> None:
    figures = ratios.trade_figures(np.array([10.0, -5.0, 0.0, 15.0]))
    assert figures == ratios.TradeFigures(4, 0.5, 5.0, 5.0, 15.0, -5.0)


def test_trades_without_a_loss_have_no_profit_factor() -> None:
    assert ratios.trade_figures(np.array([10.0])).profit_factor is None
    assert ratios.trade_figures(np.array([])) == ratios.TradeFigures(0, None, None, None, None, None)


def test_moments_are_plain_and_at_lag_one() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    returns = series(7)
    found = ratios.moments(returns)
    assert found.skewness == pytest.approx(stats.skew(returns), rel=1e-9)
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-9)
    centred = returns - returns.mean()
    assert found.autocorrelation == pytest.approx((centred[1:] @ centred[:-1]) / (centred @ centred), rel=1e-9)


def test_what_is_missing_is_said() -> None:
    assert ratios.needs(12) == "needs 30 periods, has 12"
    assert ratios.needs(30) is None

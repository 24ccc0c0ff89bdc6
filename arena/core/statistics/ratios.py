"""Performance ratios of one series of periodic returns, and of its equity curve.

All take simple returns of equal periods. Where a ratio is undefined (no variance, no loss, too few periods) the
answer is None, never NaN or infinity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Below this many periods no ratio is published: its standard error is then about as large as itself.
MIN_PERIODS = 30


def returns_of(equity: Floats) -> Floats:
    """Return the simple returns between neighbouring points of an equity curve; a point at or below 0 ends it."""
    values = np.asarray(equity, dtype=np.float64)
    if len(values) < 2:
        return np.empty(0)
    broke = np.flatnonzero(values <= 0.0)
    if len(broke):
        values = values[: broke[0] + 1]
    return values[1:] / values[:-1] - 1.0


def sharpe_ratio(returns: Floats) -> float | None:
    """Return mean over sample standard deviation (ddof 1), per period.

    Source: Sharpe, The Sharpe Ratio, J. of Portfolio Management 21(1), 1994.
    """
    deviation = _deviation(returns)
    return None if deviation is None else float(np.mean(returns)) / deviation


def sortino_ratio(returns: Floats, target: float = 0.0) -> float | None:
    """Return mean excess over `target` divided by the downside deviation over all periods, per period.

    Source: Sortino, Price, Performance Measurement in a Downside Risk Framework, J. of Investing 3(3), 1994.
    """
    if len(returns) < 2:
        return None
    shortfall = np.minimum(np.asarray(returns) - target, 0.0)
    downside = math.sqrt(float(np.mean(shortfall**2)))
    return None if downside == 0.0 else (float(np.mean(returns)) - target) / downside


def volatility(returns: Floats, periods_a_year: float) -> float | None:
    """Return the annual standard deviation of returns: the one of a period times the root of periods a year."""
    deviation = _deviation(returns)
    return None if deviation is None else deviation * math.sqrt(periods_a_year)


def annual_growth(returns: Floats, periods_a_year: float) -> float | None:
    """Return the compound annual growth rate of these returns; None where it leaves the range of doubles."""
    if not len(returns):
        return None
    growth = float(np.sum(np.log1p(returns))) if np.all(np.asarray(returns) > -1.0) else -math.inf
    exponent = growth * periods_a_year / len(returns)
    return None if exponent > 700.0 else math.expm1(exponent)


def calmar_ratio(returns: Floats, max_drawdown: float, periods_a_year: float) -> float | None:
    """Return annual growth over the maximum drawdown, a fraction above 0.

    Source: Young, Calmar Ratio: A Smoother Tool, Futures 20(1), 1991.
    """
    growth = annual_growth(returns, periods_a_year)
    return None if growth is None or max_drawdown <= 0.0 else growth / max_drawdown


def _deviation(returns: Floats) -> float | None:
    """Return the sample standard deviation, None where there is none or it is but rounding."""
    if len(returns) < 2:
        return None
    values = np.asarray(returns, dtype=np.float64)
    deviation = float(np.std(values, ddof=1))
    # Equal returns differ by rounding only; their deviation is no risk.
    return None if deviation <= 1e-12 * float(np.max(np.abs(values))) or deviation == 0.0 else deviation


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Falls of an equity curve below its running peak; depths are fractions, lengths count points."""

    depth: float
    length: int
    now: float
    longest: int


def drawdown(equity: Floats) -> Drawdown:
    """Return the deepest fall, its length from peak to recovery (or the end), the present one, and the longest."""
    values = np.asarray(equity, dtype=np.float64)
    if not len(values):
        return Drawdown(0.0, 0, 0.0, 0)
    peaks = np.maximum.accumulate(values)
    falls = np.where(peaks > 0.0, (peaks - values) / np.where(peaks > 0.0, peaks, 1.0), 0.0)
    below = values < peaks
    lengths, run = np.zeros(len(values), dtype=np.int64), 0
    for index in np.flatnonzero(below):
        run = run + 1 if index and below[index - 1] else 1
        lengths[index] = run
    deepest = int(np.argmax(falls))
    if falls[deepest] == 0.0:
        return Drawdown(0.0, 0, 0.0, 0)
    # From the deepest point on to the end of its own spell below the peak.
    after = np.flatnonzero(~below[deepest:])
    last = deepest + int(after[0]) - 1 if len(after) else len(values) - 1
    return Drawdown(float(falls[deepest]), int(lengths[last]), float(falls[-1]), int(lengths.max()))


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """Figures over closed trades (round trips or sells), by their realised profit in quote units."""

    count: int
    hit_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    best: float | None
    worst: float | None


def trade_figures(profits: Floats) -> TradeFigures:
    """Return hit rate, profit factor (gains over losses), expectancy (mean profit), best and worst."""
    values = np.asarray(profits, dtype=np.float64)
    if not len(values):
        return TradeFigures(0, None, None, None, None, None)
    gains, losses = float(values[values > 0.0].sum()), float(-values[values < 0.0].sum())
    return TradeFigures(
        len(values), float(np.mean(values > 0.0)), gains / losses if losses > 0.0 else None,
        float(values.mean()), float(values.max()), float(values.min()),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of a series of returns: `kurtosis` is plain (3 for a normal one), `autocorrelation` at lag 1."""

    count: int
    mean: float
    deviation: float
    skewness: float
    kurtosis: float
    autocorrelation: float


def moments(returns: Floats) -> Moments:
    """Return the moments; a series without variance counts as normal and uncorrelated."""
    values = np.asarray(returns, dtype=np.float64)
    deviation = _deviation(values)
    mean = float(values.mean()) if len(values) else 0.0
    if deviation is None:
        return Moments(len(values), mean, 0.0, 0.0, 3.0, 0.0)
    centred = values - mean
    variance = float(np.mean(centred**2))
    skewness = float(np.mean(centred**3)) / variance**1.5
    kurtosis = float(np.mean(centred**4)) / variance**2
    correlation = float(np.sum(centred[1:] * centred[:-1]) / np.sum(centred**2))
    return Moments(len(values), mean, deviation, skewness, kurtosis, correlation)


def needs(have: int, wanted: int = MIN_PERIODS) -> str | None:
    """Return what a figure still waits for, None where there are enough periods."""
    return None if have >= wanted else f"needs {wanted} periods, has {have}"

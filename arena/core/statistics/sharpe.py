"""How far a Sharpe ratio may be believed at a declared end: PSR, DSR, MinTRL, PBO.

Valid once, at a number of periods fixed beforehand; what is watched all the time is compared in `sequences`.
"""

from __future__ import annotations

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from arena.core.statistics.ratios import Moments

Floats = npt.NDArray[np.float64]

EULER_GAMMA = 0.5772156649
_NORMAL = NormalDist()
# The autocorrelation beyond which the variance formula leaves its range.
_MOST_CORRELATION = 0.99


def sharpe_variance(at: float, series: Moments) -> float:
    """Return the variance of a Sharpe ratio estimated from `series` where the true one is `at`.

    [a − b γ₃ SR + c (γ₄ − 1)/4 · SR²]/T with a = (1+ρ)/(1−ρ), b = (1+ρ+ρ²)/(1−ρ²), c = (1+ρ²)/(1−ρ²).
    Source: López de Prado, Lipton, Zoonekynd, SSRN 5520741; with ρ = 0 that of Mertens (2002).
    """
    rho = max(-_MOST_CORRELATION, min(_MOST_CORRELATION, series.autocorrelation))
    a = (1.0 + rho) / (1.0 - rho)
    b = (1.0 + rho + rho**2) / (1.0 - rho**2)
    c = (1.0 + rho**2) / (1.0 - rho**2)
    return (a - b * series.skewness * at + c * (series.kurtosis - 1.0) / 4.0 * at**2) / series.count


def probabilistic_sharpe(sharpe: float, against: float, series: Moments) -> float | None:
    """Return the probability that the true Sharpe ratio exceeds `against`, with the variance at `against`.

    None below two periods or where the variance is not positive. Source: Bailey, López de Prado, The Sharpe Ratio
    Efficient Frontier, J. of Risk 15(2), 2012.
    """
    if series.count < 2:
        return None
    variance = sharpe_variance(against, series)
    return None if variance <= 0.0 else _NORMAL.cdf((sharpe - against) / math.sqrt(variance))


def expected_best_sharpe(variance_of_sharpes: float, trials: float) -> float:
    """Return the Sharpe ratio that the best of so many skill-less trials is expected to show; 0 for one trial.

    √Var · [(1−γ) Φ⁻¹(1 − 1/K) + γ Φ⁻¹(1 − 1/(K e))]. Source: Bailey, López de Prado, The Deflated Sharpe Ratio, J. of
    Portfolio Management 40(5), 2014.
    """
    if trials <= 1.0 or variance_of_sharpes <= 0.0:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance_of_sharpes) * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second)


def deflated_sharpe(sharpe: float, series: Moments, variance_of_sharpes: float, trials: float) -> float | None:
    """Return the probability that the true Sharpe ratio is above what the best of K skill-less trials would show."""
    return probabilistic_sharpe(sharpe, expected_best_sharpe(variance_of_sharpes, trials), series)


def minimum_track_record(sharpe: float, against: float, series: Moments, alpha: float = 0.05) -> float | None:
    """Return how many periods are needed to reject "no better than `against`" at `alpha`, if all stays so.

    T · V(SR0) · (z₁₋α/(SR − SR0))²; None where the ratio is not above `against`. Source: as for the PSR.
    """
    if sharpe <= against or series.count < 2:
        return None
    variance = sharpe_variance(against, series)
    if variance <= 0.0:
        return None
    return series.count * variance * (_NORMAL.inv_cdf(1.0 - alpha) / (sharpe - against)) ** 2


def effective_trials(returns: Floats) -> float:
    """Return the effective rank of the correlation of trials' returns: exp of the entropy of its eigenvalues.

    `returns` has a column a trial. Copies count once; series without variance not at all. Source: Roy, Vetterli, The
    Effective Rank, EUSIPCO 2007.
    """
    varied = returns[:, np.std(returns, axis=0) > 0.0]
    if varied.shape[1] <= 1:
        return float(max(1, varied.shape[1]))
    values = np.clip(np.linalg.eigvalsh(np.corrcoef(varied, rowvar=False)), 0.0, None)
    shares = values[values > 0.0] / values.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def backtest_overfitting(returns: Floats, blocks: int = 16) -> float | None:
    """Return the probability of backtest overfitting by combinatorially symmetric cross-validation.

    `returns` has a column a configuration. In each of the C(S, S/2) splits the configuration with the best Sharpe ratio
    in one half is ranked in the other: ω = rank/(N + 1), λ = ln(ω/(1 − ω)); PBO is the share of λ ≤ 0. None with fewer
    than two configurations or two periods a block. Source: Bailey, Borwein, López de Prado, Zhu, J. of Computational
    Finance 20(4), 2017.
    """
    periods, configurations = returns.shape
    if blocks % 2 or blocks < 2:
        raise ValueError("the number of blocks must be even")
    size = periods // blocks
    if configurations < 2 or size < 2:
        return None
    parts = returns[: size * blocks].reshape(blocks, size, configurations)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    half = size * blocks // 2
    at_or_below = 0
    splits = list(combinations(range(blocks), blocks // 2))
    for chosen in splits:
        inside = np.zeros(blocks, dtype=np.bool_)
        inside[list(chosen)] = True
        best = int(np.argmax(_sharpes(sums[inside].sum(axis=0), squares[inside].sum(axis=0), half)))
        outside = _sharpes(sums[~inside].sum(axis=0), squares[~inside].sum(axis=0), half)
        # Ties share their middle rank, so that copies of one configuration say nothing.
        rank = 1.0 + np.sum(outside < outside[best]) + (np.sum(outside == outside[best]) - 1.0) / 2.0
        at_or_below += rank / (configurations + 1.0) <= 0.5
    return float(at_or_below / len(splits))


def _sharpes(sums: Floats, squares: Floats, count: int) -> Floats:
    mean = sums / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    return np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=variance > 0.0)

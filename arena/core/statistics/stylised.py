"""What the returns of real markets have in common, so that made ones can be held against it.

Fat tails, no autocorrelation of returns, and autocorrelation of their sizes (volatility comes in clusters). Source:
Cont, Empirical properties of asset returns: stylized facts and statistical issues, Quantitative Finance 1, 2001.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_RETURNS = 500
_LAGS = 20
# A normal market has a kurtosis of 3; that of a thousand returns stays below this almost always.
_FAT = 3.5
_UNCORRELATED = 0.1


@dataclass(frozen=True, slots=True)
class StylisedFacts:
    """The facts of one series of returns; `kurtosis` is plain (normal: 3), `clustering` the mean over 20 lags."""

    returns: int
    kurtosis: float
    autocorrelation: float
    clustering: float

    @property
    def fat_tails(self) -> bool:
        """Say whether large returns come more often than a normal distribution has them."""
        return self.kurtosis > _FAT

    @property
    def uncorrelated(self) -> bool:
        """Say whether a return tells nothing much of the next one's direction."""
        return abs(self.autocorrelation) < _UNCORRELATED

    @property
    def clusters(self) -> bool:
        """Say whether sizes of returns tell of the sizes that follow, beyond chance."""
        return self.clustering > 2.0 / math.sqrt(self.returns * _LAGS)


def stylised_facts(prices: Floats) -> StylisedFacts:
    """Return the facts of the log returns of prices; ValueError below 500 returns or without any move."""
    known = prices[np.isfinite(prices) & (prices > 0.0)]
    returns = np.diff(np.log(known))
    if len(returns) < MIN_RETURNS:
        raise ValueError(f"needs {MIN_RETURNS} returns, has {len(returns)}")
    centred = returns - returns.mean()
    variance = float(np.mean(centred**2))
    if variance == 0.0:
        raise ValueError("the price never moves")
    sizes = np.abs(centred)
    return StylisedFacts(
        len(returns), float(np.mean(centred**4)) / variance**2, _correlation(returns, 1),
        float(np.mean([_correlation(sizes, lag) for lag in range(1, _LAGS + 1)])),
    )  # fmt: skip


def _correlation(values: Floats, lag: int) -> float:
    centred = values - values.mean()
    return float(centred[lag:] @ centred[:-lag]) / float(centred @ centred)

"""Resampling of dependent series: the stationary bootstrap.

Source: Politis, Romano, The Stationary Bootstrap, J. of the American Statistical Association 89(428), 1994.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arena.core.statistics.dependence import stationary_block_length

Floats = npt.NDArray[np.float64]


def resampled_places(count: int, block: float, chance: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the places of one resample: blocks of geometric length, `block` on average, wrapped at the end."""
    starts = chance.integers(0, count, count)
    begins = chance.random(count) < 1.0 / block
    begins[0] = True
    at = np.maximum.accumulate(np.where(begins, np.arange(count), 0))
    return np.asarray((starts[at] + np.arange(count) - at) % count, dtype=np.int64)


def sharpe_interval(
    returns: Floats, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Return the percentile interval of the Sharpe ratio per period; None below 30 periods or without variance."""
    values = np.asarray(returns, dtype=np.float64)
    if len(values) < 30 or float(np.std(values)) <= 1e-12 * float(np.max(np.abs(values), initial=0.0)):
        return None
    chance, block = np.random.default_rng(seed), stationary_block_length(values)
    found = []
    for _ in range(resamples):
        sample = values[resampled_places(len(values), block, chance)]
        deviation = float(np.std(sample, ddof=1))
        if deviation > 0.0:
            found.append(float(sample.mean()) / deviation)
    if not found:
        return None
    low, high = np.quantile(found, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)

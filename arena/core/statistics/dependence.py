"""How long returns remember: the block length that a bootstrap or a batch needs.

Source: Politis, White, Automatic Block-Length Selection for the Dependent Bootstrap, Econometric Reviews 23(1), 2004,
with the correction of Patton, Politis, White, Econometric Reviews 28(4), 2009.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def stationary_block_length(series: Floats) -> float:
    """Return the expected block length of the stationary bootstrap, in periods; 1 where nothing is remembered."""
    values = np.asarray(series, dtype=np.float64)
    n = len(values)
    if n < 8 or float(np.std(values)) == 0.0:
        return 1.0
    centred = values - values.mean()
    # Lags looked through, and how many in a row must be small before the memory has ended.
    enough = max(5, int(math.log10(n)))
    most = min(math.ceil(math.sqrt(n)) + enough, n - 1)
    cutoff = 2.0 * math.sqrt(math.log10(n) / n)
    covariances = np.empty(most + 1)
    correlations = np.zeros(most + 1)
    for lag in range(most + 1):
        ahead, behind = centred[lag:], centred[: n - lag]
        covariances[lag] = float(ahead @ behind) / n
        scale = math.sqrt(float(ahead @ ahead) * float(behind @ behind))
        correlations[lag] = abs(float(ahead @ behind)) / scale if scale > 0.0 else 0.0
    last = 1
    for lag in range(1, most + 1):
        window = correlations[lag : lag + enough]
        if len(window) == enough and np.all(window < cutoff):
            last = lag
            break
    else:
        large = np.flatnonzero(correlations[1:] > cutoff)
        last = int(large.max()) + 1 if len(large) else 1
    bandwidth = min(2 * max(last, 1), most)
    lags = np.arange(-bandwidth, bandwidth + 1)
    taper = np.minimum(1.0, 2.0 * (1.0 - np.abs(lags) / bandwidth))
    used = covariances[np.abs(lags)]
    g = float(np.sum(taper * np.abs(lags) * used))
    spectrum = float(np.sum(taper * used))
    if spectrum == 0.0:
        return 1.0
    length = (2.0 * g**2 / (2.0 * spectrum**2)) ** (1.0 / 3.0) * n ** (1.0 / 3.0)
    return float(max(1.0, min(length, math.ceil(min(3.0 * math.sqrt(n), n / 3.0)))))


def are_dependent(many: Sequence[Floats]) -> bool:
    """Say whether series of one kind remember: the median of their autocorrelations at some lag to 5 stands out.

    It does above 1.64/√n, with n the shortest length; with fewer than five series, where chance is not averaged out,
    above 2.6/√n. Only positive ones count: negative ones make means steadier.
    """
    known = [np.asarray(each, dtype=np.float64) for each in many]
    known = [each - each.mean() for each in known if len(each) >= 8 and float(np.std(each)) > 0.0]
    if not known:
        return False
    bound = (1.64 if len(known) >= 5 else 2.6) / math.sqrt(min(len(each) for each in known))
    return any(
        float(np.median([float(each[lag:] @ each[:-lag]) / float(each @ each) for each in known])) > bound
        for lag in range(1, 6)
    )

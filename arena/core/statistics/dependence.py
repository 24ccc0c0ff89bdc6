"""How long returns remember: the block length that a bootstrap or a batch needs.

Source: Politis, White, Automatic Block-Length Selection for the Dependent Bootstrap, Econometric Reviews 23(1), 2004,
with the correction of Patton, Politis, White, Econometric Reviews 28(4), 2009.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_INDEPENDENT = 8  # series of one board that count as independent of each other, at most
_MOST = 0.95


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

    It does above 3/√n, with n the shortest length: series of one market err together, and they are looked at again and
    again. Only positive ones count: negative ones make means steadier.
    """
    known = [np.asarray(each, dtype=np.float64) for each in many]
    known = [each - each.mean() for each in known if len(each) >= 8 and float(np.std(each)) > 0.0]
    if not known:
        return False
    bound = 3.0 / math.sqrt(min(len(each) for each in known))
    return any(
        float(np.median([float(each[lag:] @ each[:-lag]) / float(each @ each) for each in known])) > bound
        for lag in range(1, 6)
    )


def autocorrelations(values: Floats) -> Floats:
    """Return the autocorrelation at lag 1 of each row, corrected for its bias (1 + 4r)/n; NaN is no value of its row.

    NaN where a row has fewer than 8 values or no variance. Source of the correction: Marriott, Pope, Bias in the
    estimation of autocorrelations, Biometrika 41, 1954.
    """
    seen = ~np.isnan(values)
    count = seen.sum(axis=1)
    known = np.where(seen, values, 0.0)
    mean = known.sum(axis=1) / np.maximum(count, 1)
    centred = np.where(seen, values - mean[:, None], 0.0)
    squares = np.einsum("ij,ij->i", centred, centred)
    lagged = np.einsum("ij,ij->i", centred[:, 1:], centred[:, :-1])
    usable = (count >= 8) & (squares > 0.0)
    raw = np.divide(lagged, squares, out=np.full(len(values), np.nan), where=usable)
    return corrected(raw, count)


def corrected(raw: Floats, count: Floats | npt.NDArray[np.int64]) -> Floats:
    """Return autocorrelations at lag 1 without the bias that an estimated mean brings."""
    found: Floats = raw + (1.0 + 4.0 * raw) / np.maximum(count, 1)
    return found


def inflation(correlations: Floats, counts: Floats) -> Floats:
    """Return for each series of a board how many of its values one independent value is worth, at least 1.

    (1 + ρ)/(1 − ρ), as for a first-order autoregression. ρ is the larger of two: the median of the board's
    correlations and its standard error (from 8 series at most, since series of one market are not independent), and
    what the series itself shows beyond its own standard error. The last axis are the series of a board.
    """
    known = np.isfinite(correlations)
    series = np.minimum(np.maximum(known.sum(axis=-1, keepdims=True), 1), _INDEPENDENT)
    filled = np.where(known, correlations, np.nan)
    with warnings.catch_warnings():
        # A board without any known correlation has no median: nothing is remembered there.
        warnings.simplefilter("ignore", RuntimeWarning)
        median = np.nan_to_num(np.nanmedian(filled, axis=-1, keepdims=True))
    error = 1.0 / np.sqrt(np.maximum(counts, 1.0))
    rho = np.maximum(median + error / np.sqrt(series), np.nan_to_num(correlations) - error)
    rho = np.clip(rho, 0.0, _MOST)
    found: Floats = (1.0 + rho) / (1.0 - rho)
    return found

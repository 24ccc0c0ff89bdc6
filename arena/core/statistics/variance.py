"""Where the spread of results comes from: between models, between prompts, or between samples of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_RESULTS = 6


def variance_shares(
    results: Sequence[float], models: Sequence[str], prompts: Sequence[str], resamples: int = 500
) -> dict[str, Any] | None:
    """Return the shares of the sum of squares between models, between prompts and within, with 90 % intervals.

    One-way shares (η²) of each factor after the other has been taken out, and what neither explains; intervals by the
    bootstrap over results, seeded. None where there are fewer than 6 results, or neither factor varies, or no cell of
    one model and one prompt has two samples: then luck cannot be told from the rest.
    """
    cells = set(zip(models, prompts, strict=True))
    if len(results) < MIN_RESULTS or len(cells) == len(results) or len(cells) < 2:
        return None
    values = np.array(results)
    model, prompt = _codes(models), _codes(prompts)
    point = _shares(values, model, prompt)
    if point is None:
        return None
    chance = np.random.default_rng(len(results))
    drawn = []
    for _ in range(resamples):
        places = chance.integers(0, len(values), len(values))
        found = _shares(values[places], model[places], prompt[places])
        if found is not None:
            drawn.append(found)
    low, middle, high = np.quantile(np.array(drawn), [0.05, 0.5, 0.95], axis=0)
    # A resample repeats results, which takes some of the luck away: the interval is centred on what was found.
    low, high = np.clip(point + low - middle, 0.0, 1.0), np.clip(point + high - middle, 0.0, 1.0)
    names = ("models", "prompts", "samples")
    return {
        name: {"share": float(point[i]), "low": float(low[i]), "high": float(high[i])} for i, name in enumerate(names)
    }


def _codes(names: Sequence[str]) -> npt.NDArray[np.int64]:
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], dtype=np.int64)


def _shares(values: Floats, model: npt.NDArray[np.int64], prompt: npt.NDArray[np.int64]) -> Floats | None:
    total = float(np.sum((values - values.mean()) ** 2))
    if total <= 0.0:
        return None

    def unexplained(*factors: npt.NDArray[np.int64]) -> float:
        columns = [np.ones(len(values))]
        for codes in factors:
            columns += [(codes == code).astype(np.float64) for code in np.unique(codes)[1:]]
        design = np.column_stack(columns)
        fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
        return float(np.sum((values - fitted) ** 2))

    both = unexplained(model, prompt)
    parts = np.array([unexplained(prompt) - both, unexplained(model) - both, both])
    # What both explain together is split evenly.
    shared = max(0.0, total - float(parts.sum()))
    parts[:2] += shared / 2.0
    shares: Floats = np.clip(parts, 0.0, None) / total
    return shares

"""A season's score points as arrays: what every statistic of returns is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from arena.core.baselines import Baselines
from arena.core.exchange import Rules
from arena.core.scoring import SECONDS_A_YEAR
from arena.store.recovered import score_points

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SeasonSeries:
    """Equities of a season's bots at its score points: an array (points, bots), NaN where a bot is out."""

    times: Floats
    ticks: npt.NDArray[np.int64]
    bots: tuple[str, ...]
    equities: Floats
    benchmark: Floats

    @property
    def periods_a_year(self) -> float | None:
        """Return how many periods a year there were, as observed; None below two points."""
        if len(self.times) < 2 or self.times[-1] <= self.times[0]:
            return None
        return float((len(self.times) - 1) / (self.times[-1] - self.times[0]) * SECONDS_A_YEAR)

    def equity(self, bot: str) -> Floats:
        """Return a bot's equities at the points where it was in."""
        if bot not in self.bots:
            return np.empty(0)
        values: Floats = self.equities[:, self.bots.index(bot)]
        return values[~np.isnan(values)]

    def returns(self) -> Floats:
        """Return the simple returns between neighbouring points, an array (periods, bots); 0 after a total loss."""
        return _returns(self.equities)

    def benchmark_returns(self) -> Floats:
        """Return the benchmark's returns."""
        return _returns(self.benchmark[:, None])[:, 0]


def _returns(equities: Floats) -> Floats:
    before, after = equities[:-1], equities[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(before > 0.0, after / before - 1.0, np.where(np.isnan(before + after), np.nan, 0.0))
    return found


def read_series(engine: Engine, season: dict[str, Any]) -> SeasonSeries:
    """Return the series of a season, given by its row."""
    rules = Rules(season["starting_cash"], season["fee_bps"], season["slippage_bps"])
    baselines = Baselines(tuple(season["symbols"]), rules, 0)
    bots: list[str] = []
    times, ticks, rows, benchmark = [], [], [], []
    for point in score_points(engine, season["id"]):
        bots += point.joined
        times.append(point.time)
        ticks.append(point.tick)
        rows.append(np.frombuffer(point.equities, dtype="<f8"))
        baselines.admit(point.prices)
        benchmark.append(baselines.equities(point.prices)[season["benchmark"]])
    equities = np.full((len(rows), len(bots)), np.nan)
    for place, row in enumerate(rows):
        equities[place, : len(row)] = row
    return SeasonSeries(np.array(times), np.array(ticks, dtype=np.int64), tuple(bots), equities, np.array(benchmark))

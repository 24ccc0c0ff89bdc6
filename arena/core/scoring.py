"""How well a bot has done, and who stands above whom.

`Score` is a running state that can be stored and picked up again, so that a restart goes on from
the last stored row instead of from the beginning. Returns are taken at the points of the score clock only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RANKED_EVERY = 10  # ticks from one ranking of the board to the next
MIN_SHARPE_RETURNS = 30
SECONDS_A_YEAR = 365.0 * 86400.0
MIN_SCORE_INTERVAL = 300.0


def default_score_interval(tick_interval: float, *, replay: bool) -> float:
    """Return the seconds of one period of returns: at least 5 minutes, and ten ticks live or one bar in a replay."""
    return max(MIN_SCORE_INTERVAL, tick_interval if replay else 10.0 * tick_interval)


@dataclass(slots=True)
class ScoreClock:
    """Says which ticks are score points: the first one, and the first in each `interval` seconds after it."""

    interval: float
    anchor: float | None = None
    slot: int = -1

    def due(self, time: float) -> bool:
        """Say whether a tick at `time` is a score point; if so, it is taken as one."""
        if not self.would_be_due(time):
            return False
        if self.anchor is None:
            self.anchor = time
        self.slot = math.floor((time - self.anchor) / self.interval)
        return True

    def would_be_due(self, time: float) -> bool:
        """Say whether a tick at `time` would be a score point, without taking it."""
        return self.anchor is None or math.floor((time - self.anchor) / self.interval) > self.slot


def score_ticks(times: Floats, interval: float) -> npt.NDArray[np.int64]:
    """Return the places of the score points among ticks at `times`, as `ScoreClock` finds them one by one."""
    import numpy as np

    if not len(times):
        return np.empty(0, dtype=np.int64)
    slots = np.floor((times - times[0]) / interval)
    before = np.concatenate([[-1.0], np.maximum.accumulate(slots)[:-1]])
    return np.flatnonzero(slots > before)


@dataclass(slots=True)
class Score:
    """Running measures of one bot; `mark` every tick, `point` at every score point.

    `benchmark_start` is what the benchmark was worth at the bot's first tick; None for scores of before it was kept.
    """

    starting_cash: float
    peak: float = -math.inf
    max_drawdown: float = 0.0
    ticks: int = 0
    exposed_ticks: int = 0
    trades: int = 0
    sells: int = 0
    wins: int = 0
    rejected: int = 0
    traded_value: float = 0.0
    last_equity: float | None = None
    returns: int = 0
    return_mean: float = 0.0
    return_m2: float = 0.0
    first_time: float | None = None
    last_time: float = 0.0
    timed: int = 0
    benchmark_start: float | None = None

    def copy(self) -> Score:
        """Return one that goes on from here; spelled out, because it happens for every bot at every tick."""
        return Score(
            self.starting_cash, self.peak, self.max_drawdown, self.ticks, self.exposed_ticks, self.trades,
            self.sells, self.wins, self.rejected, self.traded_value, self.last_equity, self.returns,
            self.return_mean, self.return_m2, self.first_time, self.last_time, self.timed, self.benchmark_start,
        )  # fmt: skip

    def state(self) -> dict[str, float | None]:
        """Return the fields by name, to be stored."""
        return {name: getattr(self, name) for name in _SCORE_FIELDS}

    def mark(self, equity: float, *, exposed: bool) -> None:
        """Take the equity of one tick into the drawdown and the exposure."""
        self.ticks += 1
        self.exposed_ticks += exposed
        # The starting cash counts: what the first tick costs is a drawdown.
        if self.peak < self.starting_cash or self.peak < equity:
            self.peak = max(self.peak, self.starting_cash, equity)
        if equity < self.peak and self.peak > 0.0:
            self.max_drawdown = max(self.max_drawdown, (self.peak - equity) / self.peak)

    def mark_many(self, equity: Floats, *, exposed: bool) -> None:
        """Take the equities of many ticks at once; the same bits as one by one."""
        import numpy as np

        self.ticks += len(equity)
        self.exposed_ticks += exposed * len(equity)
        peaks = np.maximum(np.maximum.accumulate(equity), max(self.peak, self.starting_cash))
        self.peak = float(peaks[-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            falls = np.where(peaks > 0.0, (peaks - equity) / peaks, 0.0)
        self.max_drawdown = max(self.max_drawdown, float(falls.max()))

    def fill(self, value: float, realized: float, *, is_sell: bool) -> None:
        """Count one fill of `value` quote units; a sell with a gain is a win."""
        self.trades += 1
        self.traded_value += value
        if is_sell:
            self.sells += 1
            self.wins += realized > 0.0

    def point(self, equity: float, time: float) -> None:
        """Take one score point into mean and variance of returns (Welford's recurrence)."""
        if self.first_time is None:
            self.first_time = time
        else:
            self.timed += 1
        self.last_time = time
        if self.last_equity is not None and self.last_equity > 0.0:
            value = equity / self.last_equity - 1.0
            self.returns += 1
            delta = value - self.return_mean
            self.return_mean += delta / self.returns
            self.return_m2 += delta * (value - self.return_mean)
        self.last_equity = equity

    def metrics(self, equity: float, fees: float) -> Metrics:
        """Return the published measures."""
        start, periods = self.starting_cash, self._periods_a_year()
        return Metrics(
            return_pct=(equity / start - 1.0) * 100.0,
            max_drawdown_pct=self.max_drawdown * 100.0,
            sharpe=self._sharpe(periods),
            periods_a_year=periods,
            periods=self.returns,
            win_rate_pct=self.wins / self.sells * 100.0 if self.sells else None,
            turnover=self.traded_value / start,
            exposure_pct=self.exposed_ticks / self.ticks * 100.0 if self.ticks else 0.0,
            fees=fees,
        )

    def _periods_a_year(self) -> float | None:
        """Return how many score points a year there were, as observed: nights, weekends and pauses have none."""
        seconds = self.last_time - (self.first_time or 0.0)
        if self.timed < MIN_SHARPE_RETURNS or seconds <= 0.0:
            return None
        return self.timed / seconds * SECONDS_A_YEAR

    def _sharpe(self, periods: float | None) -> float | None:
        if self.returns < MIN_SHARPE_RETURNS or periods is None:
            return None
        deviation = math.sqrt(self.return_m2 / (self.returns - 1))
        if deviation == 0.0:
            return None
        return self.return_mean / deviation * math.sqrt(periods)


_SCORE_FIELDS = tuple(each.name for each in fields(Score))


@dataclass(frozen=True, slots=True)
class Metrics:
    """The published measures; percentages are of 100, None where undefined.

    The drawdown is from the highest equity so far, the starting cash included. Sharpe is that of the returns between
    score points, annualised by `periods_a_year`, None below 30 `periods`. A win is a sell whose gain over the average
    cost is above 0 before fees.
    """

    return_pct: float
    max_drawdown_pct: float
    sharpe: float | None
    periods_a_year: float | None
    periods: int
    win_rate_pct: float | None
    turnover: float
    exposure_pct: float
    fees: float

    def named(self) -> dict[str, float | None]:
        """Return the measures by name."""
        return {name: getattr(self, name) for name in METRIC_NAMES}


METRIC_NAMES = tuple(each.name for each in fields(Metrics))


@dataclass(frozen=True, slots=True)
class Contender:
    """What decides a bot's place: equity, smaller drawdown, earlier admission, name."""

    name: str
    equity: float
    max_drawdown_pct: float
    admitted: float
    key: object = field(default=None, compare=False)


def ranked(contenders: Iterable[Contender]) -> Sequence[Contender]:
    """Return the contenders best first."""
    return sorted(contenders, key=lambda c: (-c.equity, c.max_drawdown_pct, c.admitted, c.name))

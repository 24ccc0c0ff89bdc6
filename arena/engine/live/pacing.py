"""When the next tick is: on the live grid, or as a recording has it.

A beat is a time at which a tick is due: live, the multiples of the interval since 1970. A tick that overruns, a clock
that jumps forward or a machine that slept leaves out the beats in between: they are counted, and no tick follows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from arena.clock import CLOCK, Clock
from arena.engine.backtest.market import RecordedMarket
from arena.engine.state import MarketState


class Beats(Protocol):
    """The times of a season's ticks; `missed` counts the beats that had no tick."""

    missed: int

    def next(self, market: MarketState) -> tuple[float, bool] | None:
        """Return the next beat's time and whether it is the last; None where there is none."""

    def left(self, beat: float) -> float:
        """Return how many seconds there are until a beat."""


def next_beat(now: float, interval: float) -> float:
    """Return the first grid time after `now`: a multiple of the interval since the epoch."""
    return (math.floor(now / interval) + 1) * interval


class LiveBeats:
    """The beats of a live season."""

    def __init__(self, interval: float, clock: Clock = CLOCK) -> None:
        self.missed = 0
        self._interval = interval
        self._clock = clock
        self._last: float | None = None

    def next(self, market: MarketState) -> tuple[float, bool] | None:
        """Return the next beat; a live season has no last one."""
        self._clock.not_before(market.time)
        beat = next_beat(max(self._clock.now(), market.time), self._interval)
        if self._last is not None:
            self.missed += max(0, round((beat - self._last) / self._interval) - 1)
        self._last = beat
        return beat, False

    def left(self, beat: float) -> float:
        """Return how many seconds there are until a beat."""
        return beat - self._clock.now()


class ReplayBeats:
    """The ticks of a recording, as fast as it can or at a multiple of real time."""

    def __init__(
        self, market: RecordedMarket, speed: float = 0.0, steady: Callable[[], float] = time.monotonic
    ) -> None:
        """Make the beats of a recording; `speed` is in times real time, 0 for as fast as it can."""
        self.missed = 0
        self._market = market
        self._speed = speed
        self._steady = steady
        self._start: tuple[float, float] | None = None

    def next(self, market: MarketState) -> tuple[float, bool] | None:
        """Return the next tick's time and whether it is the last; None when the recording has been played."""
        n, total = market.n + 1, len(self._market)
        if n >= total:
            return None
        beat = self._market.time(n)
        if self._start is None:
            self._start = (self._steady(), beat)
        return beat, n + 1 == total

    def left(self, beat: float) -> float:
        """Return how many seconds there are until a tick."""
        if not self._speed or self._start is None:
            return 0.0
        began, first = self._start
        return began + (beat - first) / self._speed - self._steady()

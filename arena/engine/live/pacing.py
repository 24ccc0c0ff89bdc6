"""When the next tick is: the live grid, or a recording at its own pace.

Live beats are multiples of the interval since the epoch. A tick that overruns, a clock that jumps
forward or a machine that slept costs the beats in between: they are counted, never made up for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from arena.clock import CLOCK, Clock
from arena.engine.live.sources import MarketState, ReplaySource


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
        """Return the next beat's time and whether it is the last of all."""
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

    def __init__(self, source: ReplaySource, steady: Callable[[], float]) -> None:
        self.missed = 0
        self._market = source.market
        self._speed = source.speed
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

"""The time of this machine, made fit for a market: it never goes back.

A system clock that is set forward, or a machine that was asleep, is followed at once. One that is set
back is not: time goes on steadily from where it was, ahead of the system's, until that has caught up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger("arena.clock")

STEP = 1.0  # a smaller difference is the system's own fine adjustment


class Clock:
    """Float Unix seconds, UTC, that only go up; safe to use from several threads."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._base, self._since = wall(), steady()
        self._behind = False
        self._last = self._base
        self.jumps = 0

    def now(self) -> float:
        """Return the time."""
        with self._lock:
            steady, wall = self._steady(), self._wall()
            expected = self._base + (steady - self._since)
            difference = wall - expected
            if difference > STEP:
                self._adopt(wall, steady)
                log.warning("The system clock has jumped forward by %.1f s; the arena follows", difference)
                expected = wall
            elif difference < -STEP and not self._behind:
                self._behind = True
                self.jumps += 1
                log.warning("The system clock went back by %.1f s; the arena's goes on steadily", -difference)
            elif self._behind and difference > -STEP / 2:
                self._behind = False
            elif abs(difference) <= STEP / 2:
                # Fine adjustment of the system clock is followed, so that no drift builds up.
                self._base, self._since, expected = wall, steady, wall
            self._last = max(self._last, expected)
            return self._last

    def _adopt(self, wall: float, steady: float) -> None:
        self._base, self._since = wall, steady
        self._behind = False
        self.jumps += 1

    def now_ns(self) -> int:
        """Return the time in whole nanoseconds."""
        return int(self.now() * 1e9)

    @property
    def ahead(self) -> float:
        """Return how many seconds this clock is ahead of the system's after that went back, else 0."""
        difference = self.now() - self._wall()
        return difference if difference > STEP else 0.0

    def not_before(self, moment: float) -> None:
        """Go on from `moment` where the system clock says less, as after a restart with a clock set back."""
        with self._lock:
            steady, wall = self._steady(), self._wall()
            if moment > max(wall, self._base + (steady - self._since)):
                self._base, self._since, self._last = moment, steady, moment


CLOCK = Clock()

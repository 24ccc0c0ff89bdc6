"""How much CPU one child may use in its life, moved on by the server as an honest one ages.

The kernel ends a process that reaches its limit, whoever watches. So the limit is kept so far ahead that what has
been asked, were it all to take as long as it may, does not reach it.
"""

from __future__ import annotations

import contextlib
import resource
import time


class CpuAllowance:
    """One child's CPU clock, and the kernel's limit on it."""

    def __init__(self, pid: int, lifetime: int) -> None:
        self._pid = pid
        self._lifetime = float(lifetime)
        self._limit = self._lifetime
        # The kernel's name for another process's CPU clock.
        self._clock = (~pid << 3) | 2
        # What may still be asked before the limit must be moved.
        self._credit = self._limit / 2

    def used(self) -> float:
        """Return the CPU seconds used so far; all of them where the process is gone."""
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return self._limit

    def charge(self, worst: float) -> None:
        """Count what may be used at most, in seconds, and see that the limit is out of its reach."""
        self._credit -= worst
        if self._credit < 0.0:
            self._limit = self.used() + 2 * self._lifetime + worst
            self._credit = self._lifetime
            with contextlib.suppress(OSError, ValueError):
                _, hard = resource.prlimit(self._pid, resource.RLIMIT_CPU)
                resource.prlimit(self._pid, resource.RLIMIT_CPU, (int(self._limit), hard))

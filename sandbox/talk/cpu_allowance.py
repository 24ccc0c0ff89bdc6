"""RLIMIT_CPU of one child, raised by the server as an honest bot ages.

The kernel kills a process that reaches it, even if the server hangs. So it is kept far enough ahead that all open
requests, each taking as long as it may, do not reach it.
"""

from __future__ import annotations

import contextlib
import resource
import time


class CpuAllowance:
    """One child's CPU clock, and its RLIMIT_CPU."""

    def __init__(self, pid: int, lifetime: int) -> None:
        self._pid = pid
        self._lifetime = float(lifetime)
        self._limit = self._lifetime
        # The kernel's name for another process's CPU clock.
        self._clock = (~pid << 3) | 2
        # CPU seconds that may still be requested before the limit must be raised.
        self._credit = self._limit / 2

    def used(self) -> float:
        """Return the CPU seconds used so far; all of them where the process is gone."""
        try:
            return time.clock_gettime(self._clock)
        except OSError:
            return self._limit

    def charge(self, worst: float) -> None:
        """Count a request that may use so many CPU seconds, and raise the limit when the credit is used up."""
        self._credit -= worst
        if self._credit < 0.0:
            self._limit = self.used() + 2 * self._lifetime + worst
            self._credit = self._lifetime
            with contextlib.suppress(OSError, ValueError):
                _, hard = resource.prlimit(self._pid, resource.RLIMIT_CPU)
                resource.prlimit(self._pid, resource.RLIMIT_CPU, (int(self._limit), hard))

"""Which CPU plays which bot: for a replay this decides more than anything else.

Two processes that take turns belong on one CPU: waking the other one's costs several times the switch.
Two that both have work belong on two, and the kernel does not see to that by itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from sandbox.talk.worker import Worker


class CpuPlacement:
    """Places workers, and this thread beside a single one, on the CPUs this process may use."""

    def __init__(self, bots: int) -> None:
        self._cpus = sorted(os.sched_getaffinity(0))
        self._alone = bots == 1
        self._placed = 0

    @property
    def cpus(self) -> int:
        """Return how many CPUs there are."""
        return len(self._cpus)

    def place(self, worker: Worker, *, in_turn: bool) -> None:
        """Pin a worker; a single one that is `in_turn` with this thread, tick by tick, shares its CPU."""
        if len(self._cpus) < 2:
            return
        if self._alone:
            here, there = self._cpus[:2]
            _pin(0, here)
            _pin(worker.pid, here if in_turn else there)
        else:
            self._place_next(worker)

    def face(self, worker: Worker) -> None:
        """Give a CPU each to this thread and to workers that take turns with it over a page, one at a time."""
        if len(self._cpus) < 2:
            return
        here, there = self._cpus[:2]
        _pin(0, here)
        _pin(worker.pid, there)

    def free(self, worker: Worker) -> None:
        """Let a worker run wherever there is room again."""
        _pin(worker.pid, *self._cpus)

    def spread(self, worker: Worker) -> None:
        """Have a worker play beside others, and this thread run where there is room."""
        _pin(0, *self._cpus)
        self._place_next(worker)

    def _place_next(self, worker: Worker) -> None:
        _pin(worker.pid, self._cpus[self._placed % len(self._cpus)])
        self._placed += 1


def _pin(pid: int, *cpus: int) -> None:
    # A worker may have ended, and a container may forbid it: then the kernel places.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(pid, cpus)


@contextlib.contextmanager
def placement(bots: int) -> Iterator[CpuPlacement]:
    """Give a placement for a replay of so many bots; this thread is free again afterwards."""
    before = os.sched_getaffinity(0)
    try:
        yield CpuPlacement(bots)
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, before)

"""What the order of a file's rows looks like, gathered while they pass by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from arena.feeds.files.tape import Bools, Codes, Floats

ALL = -1  # the group of all rows, where symbols do not stand one after the other


class Survey:
    """Counts steps in time: of all rows and, while symbols might stand one after the other, of each."""

    def __init__(self) -> None:
        self._rows = 0
        self._last = -np.inf
        self._stacked = True
        self._run = ALL
        self._moved: Counter[int] = Counter()
        self._back: Counter[int] = Counter()
        self._peaks: list[dict[int, float]] = []

    @property
    def back(self) -> int:
        """Return how many steps in time go back."""
        return self._back[ALL]

    def add(self, times: Floats, codes: Codes | None, code: int) -> None:
        """Take the next rows of the file, at least one; without `codes` all of them have one code."""
        moved, back = np.empty((2, len(times)), dtype=bool)
        np.not_equal(times[1:], times[:-1], out=moved[1:])
        np.less(times[1:], times[:-1], out=back[1:])
        moved[0] = self._rows and times[0] != self._last
        back[0] = self._rows and times[0] < self._last
        self._count(ALL, moved, back)
        self._peaks.append({ALL: float(times.max())})
        for group, start, end in _runs(codes, code, len(times)):
            if not self._stacked:
                break
            self._take_run(group, times[start:end], moved[start:end], back[start:end])
        self._rows += len(times)
        self._last = float(times[-1])

    def _take_run(self, group: int, times: Floats, moved: Bools, back: Bools) -> None:
        known = group in self._moved
        self._stacked = self._stacked and (group == self._run or not known)
        self._peaks[-1][group] = float(times.max())
        # The step from another symbol's last row says nothing.
        begin = 0 if group == self._run else 1
        self._count(group, moved[begin:], back[begin:])
        self._run = group

    def _count(self, group: int, moved: Bools, back: Bools) -> None:
        self._moved[group] += int(np.count_nonzero(moved))
        self._back[group] += int(np.count_nonzero(back))

    def groups(self) -> dict[int, tuple[int, int]]:
        """Return the groups whose order is judged apart, each with its steps and those that go back."""
        codes = [code for code in self._moved if code != ALL]
        groups = codes if self._stacked and 1 < len(codes) < self._rows else [ALL]
        return {group: (self._moved[group], self._back[group]) for group in groups}

    def ceilings(self, group: int) -> list[float]:
        """Return for each chunk the latest time of a group in the chunks after it."""
        peaks = [peak.get(group, -np.inf) for peak in self._peaks]
        later = np.maximum.accumulate([-np.inf, *peaks[:0:-1]])[::-1]
        return [float(peak) for peak in later]


def _runs(codes: Codes | None, code: int, rows: int) -> Iterator[tuple[int, int, int]]:
    """Yield the runs of equal codes with their borders."""
    if codes is None:
        yield code, 0, rows
        return
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), rows]
    for start, end in pairwise(borders):
        yield int(codes[start]), start, end

"""What is kept of one symbol's prices while a file is read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from arena.feeds.files.tape import Bools, Floats

QUIET = 6 * 3600.0  # seconds; less is a thin market, not a clock
_FEW = 8  # rows for each point of a grid, from which it is quicker to look the points up


@dataclass(slots=True)
class Line:
    """The prices of one symbol, piece by piece in the order of the file, and facts about all of its rows.

    Of the prices between two points of a `grid` (seconds) only the last is kept, for no tick can show
    the others; so memory is bounded by the ticks and not by the rows. `backward` lines are read
    newest first.
    """

    grid: float | None = None
    backward: bool = False
    rows: int = 0
    moving: int = 0  # steps in time that are not zero
    silent: int = 0  # bars without volume
    again: int = 0  # trades that say what a row before them said
    first: float = np.inf
    last: float = -np.inf
    pauses: list[tuple[float, float]] = field(default_factory=list)  # long steps: their begin and length
    parts: list[tuple[Floats, Floats]] = field(default_factory=list)

    def add(self, times: Floats, prices: Floats, volumes: Floats | None = None, again: Bools | None = None) -> None:
        """Take the next rows that count, in the order of the file."""
        if not len(times):
            return
        if volumes is not None:
            self.silent += int((volumes == 0).sum())
        if again is not None:
            self.again += int(np.count_nonzero(again))
        if self.backward:
            times, prices = times[::-1], prices[::-1]
        self._take_steps(times)
        self.rows += len(times)
        self.first, self.last = min(self.first, float(times[0])), max(self.last, float(times[-1]))
        self.parts.append((times, prices) if self.grid is None else thinned(times, prices, self.grid))

    def _take_steps(self, times: Floats) -> None:
        if self.rows:
            # The step between this piece and the one before it in the file.
            edge = (float(times[-1]), self.first) if self.backward else (self.last, float(times[0]))
            self._take_step(*edge)
        self.moving += int(np.count_nonzero(times[1:] != times[:-1]))
        if times[-1] - times[0] > QUIET:
            steps = np.diff(times)
            wide = np.flatnonzero(steps > QUIET)
            self.pauses += zip(times[wide].tolist(), steps[wide].tolist(), strict=True)

    def _take_step(self, begin: float, end: float) -> None:
        self.moving += end > begin
        if end - begin > QUIET:
            self.pauses.append((begin, end - begin))

    def series(self) -> tuple[Floats, Floats]:
        """Return the times in order, and the prices."""
        parts = self.parts[::-1] if self.backward else self.parts
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([times for times, _ in parts]), np.concatenate([prices for _, prices in parts])


def thinned(times: Floats, prices: Floats, grid: float) -> tuple[Floats, Floats]:
    """Return the last row before each point of the grid; the times are in order."""
    first, end = _numbers(times[[0, -1]], grid)
    if end - first < len(times) / _FEW:
        places = np.searchsorted(times, np.arange(first, end + 1) * grid, side="right") - 1
        found = places[np.append(places[1:] != places[:-1], values=True)]
        return times[found], prices[found]
    numbers = _numbers(times, grid)
    last = np.append(numbers[1:] != numbers[:-1], values=True)
    return times[last], prices[last]


def _numbers(times: Floats, grid: float) -> Floats:
    """Return the numbers of the first points of the grid at or after times."""
    numbers = np.ceil(times / grid)
    # The quotient may round across a whole number, so the product decides.
    numbers -= (numbers - 1) * grid >= times
    numbers += numbers * grid < times
    return numbers

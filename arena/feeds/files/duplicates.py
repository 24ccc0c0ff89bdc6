"""Which trades of a file look like one before them: the same id, or without ids the same in all cells.

Such rows count, for two real trades may look alike; they are only marked. Ids are compared with those of
the same symbol among the ten thousand rows before; lines with those of the same run of one time. Neither
depends on where a block of the file ends.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from arena.feeds.files.report import Bools, Floats

WINDOW = 10_000  # rows
_REMEMBERED = 1_000_000  # rows of one run, eight bytes each

Hashes = npt.NDArray[np.uint64]


class Ids:
    """Marks the trade ids that one of the rows before has."""

    def __init__(self) -> None:
        self._recent = np.empty(0, np.uint64)

    def mark(self, ids: pl.Series, symbols: pl.Series | None = None) -> Bools | None:
        """Return marks for the next rows, None if no id is repeated; a row without id repeats nothing."""
        frame = pl.DataFrame({"id": ids.cast(pl.String)})
        frame = frame.with_columns(pl.lit("").alias("symbol") if symbols is None else symbols.alias("symbol"))
        own = frame.select(pl.struct("id", "symbol").hash()).to_series().to_numpy()
        missing = (frame["id"].is_null() | (frame["id"] == "")).fill_null(value=True).to_numpy()
        if missing.any():
            # Numbers of their own, so that they are like no other row.
            own = np.where(
                missing,
                np.arange(len(own), dtype=np.uint64) + np.uint64(self._recent[-1] if len(self._recent) else 0),
                own,
            )
        known = np.concatenate([self._recent, own])
        before = len(self._recent)
        self._recent = known[-WINDOW:]
        twice = np.flatnonzero(pl.Series(known).is_duplicated().to_numpy())
        if not twice.size:
            return None
        order = twice[np.argsort(known[twice], kind="stable")]
        later, earlier = order[1:], order[:-1]
        again = later[(known[later] == known[earlier]) & (later - earlier <= WINDOW) & (later >= before)] - before
        again = again[~missing[again]]
        return _marked(again, len(own))


class RepeatedLines:
    """Marks the lines that are the same as one before them in a run of one time."""

    def __init__(self) -> None:
        self._time = np.nan
        self._run: Callable[[], Hashes] = lambda: np.empty(0, np.uint64)

    def mark(self, times: Floats, told: Callable[[], pl.Series | None]) -> Bools | None:
        """Return marks for the next rows, whose lines are told when they are asked for.

        None if none is repeated, or where it is not known which line is which row.
        """
        if not len(times):
            return None
        moved = np.append(True, times[1:] != times[:-1])
        goes_on = bool(times[0] == self._time)
        if moved.all() and not goes_on:
            # The last line is looked at only if the next rows go on with its time.
            self._time, self._run = float(times[-1]), lambda: _last(told())
            return None
        lines = told()
        if lines is None:
            self._time = np.nan
            return None
        before = self._run() if goes_on else np.empty(0, np.uint64)
        own = lines.hash().to_numpy()
        runs = np.cumsum(moved)
        if goes_on:
            own = np.concatenate([before, own])
            runs = np.concatenate([np.full(len(before), runs[0]), runs])
        frame = pl.DataFrame({"run": runs, "line": own})
        again = ~frame.select(pl.struct("run", "line").is_first_distinct()).to_series().to_numpy()
        marks = again[len(again) - len(times) :]
        last = own[runs == runs[-1]]
        self._time, self._run = float(times[-1]), lambda: last[-_REMEMBERED:]
        return marks if marks.any() else None


def _last(lines: pl.Series | None) -> Hashes:
    return np.empty(0, np.uint64) if lines is None else lines.tail(1).hash().to_numpy()


def _marked(rows: npt.NDArray[np.intp], number: int) -> Bools | None:
    if not rows.size:
        return None
    marks = np.zeros(number, dtype=bool)
    marks[rows] = True
    return marks

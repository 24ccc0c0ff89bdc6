"""Which trades of a file are the same in all cells as another row of the same time.

That is looked for where trades have no ids, among all rows of a run of one time, wherever blocks end.
Such rows count, for two real trades may look alike; they are only marked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from arena.feeds.files.prints import Numbers, laid_out, marked, pairs, prints
from arena.feeds.files.tape import Bools, Floats, Rows
from arena.feeds.files.words import Places, Text, Words, tails

_MIXER = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(32)
_WORD = 8  # bytes
_REMEMBERED = 1_000_000  # rows of one run, eight bytes each


@dataclass(slots=True)
class Repeats:
    """The repeats within one block, and what stands at its borders, where the next ones may lie.

    `first` and `last` are the times of the runs at its begin and end, `head` and `tail` return the
    prints of their rows; `whole` tells that they are all rows of the block.
    """

    marks: Bools | None
    first: float
    last: float
    head: Callable[[], Words]
    tail: Callable[[], Words]
    whole: bool


class Across:
    """Marks what a block repeats of those before it."""

    def __init__(self) -> None:
        self._time = np.nan
        self._seen: Callable[[], Words] = lambda: np.empty(0, np.uint64)

    def mark(self, rows: Rows, found: Repeats) -> None:
        """Take the next block, of which no row may be lost yet."""
        rows.again = found.marks
        goes_on = found.first == self._time
        if goes_on:
            seen, head = np.sort(self._seen()), found.head()
            again = np.flatnonzero(seen[np.minimum(np.searchsorted(seen, head), len(seen) - 1)] == head)
            if again.size and rows.again is None:
                rows.again = np.zeros(len(rows.times), dtype=bool)
            if rows.again is not None:
                rows.again[again] = True
        if goes_on and found.whole:
            all_of_run = np.concatenate([seen, head])[:_REMEMBERED]
            self._seen = lambda: all_of_run
        else:
            self._seen = found.tail
        self._time = found.last


def of_lines(text: Text, starts: Places, ends: Places, times: Floats, prices: Floats) -> Repeats:
    """Return the repeats among lines; `times` and `prices` tell which need not be looked at."""
    fresh = times[1:] != times[:-1]
    marks = None
    if not fresh.all():
        rows = _shared(_keys(text, starts, ends, times, prices))
        later, before = pairs(prints(text, starts[rows], ends[rows]))
        later, before = _same(text, starts, ends, rows[later], rows[before])
        if later.size:
            runs = np.concatenate([[0], np.cumsum(fresh)])
            marks = marked(later[runs[later] == runs[before]], len(times))
    number = len(times)
    begin, end = (int(np.argmax(order)) + 1 if order.any() else number for order in (fresh, fresh[::-1]))
    return Repeats(
        marks,
        float(times[0]),
        float(times[-1]),
        lambda: prints(text, starts[:begin], ends[:begin]),
        lambda: prints(text, starts[-end:], ends[-end:]),
        whole=begin == number,
    )


def of_told_lines(lines: Sequence[bytes], times: Floats) -> Repeats:
    """Return the same for lines that are texts already."""
    return of_lines(*laid_out(lines), times, np.zeros(len(lines)))


def _shared(keys: Words) -> Numbers:
    """Return the places of all keys that occur twice, and of a few that do not."""
    # To sort halves of them is what numpy does quickest, and leaves but one or two by chance.
    halves = (keys >> np.uint64(32)).astype(np.uint32)
    ordered = np.sort(halves)
    return np.flatnonzero(np.isin(halves, ordered[1:][ordered[1:] == ordered[:-1]]))


def _keys(text: Text, starts: Places, ends: Places, times: Floats, prices: Floats) -> Words:
    """Return numbers that are the same for lines that are; those of others hardly ever are."""
    keys = prices.view(np.uint64) * _MIXER
    keys ^= keys >> _FOLD
    keys += times.view(np.uint64)
    if (ends - starts).min() >= _WORD:
        # Prices come again all the time, but seldom with the same size, which is what most lines end in.
        keys *= _MIXER
        keys ^= keys >> _FOLD
        keys += text.load(ends - _WORD, 1)[0]
    keys *= _MIXER
    return keys


def _same(text: Text, starts: Places, ends: Places, rows: Numbers, others: Numbers) -> tuple[Numbers, Numbers]:
    """Return those of the rows whose cell is spelt like the other row's, and the others; eight characters at a time."""
    widths = ends - starts
    done = 0
    alike = (widths[rows] == widths[others]) & (widths[rows] > 0)
    while True:
        rows, others = rows[alike], others[alike]
        left = np.maximum(widths[rows] - done, 0)
        if not left.any():
            return rows, others
        own, other = (text.load(np.maximum(ends[some] - done - 8, 0), 1)[0] for some in (rows, others))
        alike = tails(own, left) == tails(other, left)
        done += 8

"""Which trades of a file say once more what a row before them said.

That is a row with the trade id of the row before it or, where trades have no ids, one that is the same
in all cells as another in the same run of rows of one time. Such rows count, for two real trades may
look alike; they are only marked. Repeats that lie further apart are not looked for, for that would
take all rows of a file in memory; so a run that goes on in the next block is remembered in part only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Bools, Codes, Floats, Rows
from arena.feeds.files.words import MARGIN, Places, Text, Words, tails

Numbers = npt.NDArray[np.intp]
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(29)
_BORDER = 1000  # rows of a run that are remembered from one block to the next
_BUCKETS = np.uint64(64 - 19)  # more than a block has rows, few enough for the cache


@dataclass(slots=True)
class Repeats:
    """The repeats within one block, and what stands at its borders, where the next ones may lie.

    `first` and `last` are the times of the runs at its begin and end, `head` and `tail` their rows as
    they are spelt; `whole` tells that they are all rows of the block.
    """

    marks: Bools | None
    first: float = 0.0
    last: float = 0.0
    head: Sequence[bytes] = ()
    tail: Sequence[bytes] = ()
    whole: bool = False


class Across:
    """Marks what a block repeats of the one before it."""

    def __init__(self) -> None:
        self._time = np.nan
        self._seen: set[bytes] = set()

    def mark(self, rows: Rows, found: Repeats) -> None:
        """Take the next block, of which no row may be lost yet."""
        if not found.head:
            return
        goes_on = found.first == self._time
        again = [n for n, row in enumerate(found.head) if goes_on and row and row in self._seen]
        if again:
            marks = np.zeros(len(rows.times), dtype=bool) if rows.again is None else rows.again
            marks[again] = True
            rows.again = marks
        if not (goes_on and found.whole):
            self._seen = set()
        self._seen.update(found.tail)
        self._time = found.last


def of_ids(text: Text, starts: Places, ends: Places, codes: Codes | None) -> Repeats:
    """Return the repeats among the cells of a column of ids, which are those of a symbol."""
    [last] = text.load(ends - 8, 1)
    widths = ends - starts
    if widths.min() < 8:
        last = tails(last, widths)
    rows = np.flatnonzero(last[1:] == last[:-1]) + 1
    if codes is not None:
        rows = rows[codes[rows] == codes[rows - 1]]
    spelt = _spelling(text, starts, ends)
    rows, _ = _same(text, starts, ends, rows, rows - 1)
    marks = _marked(rows, len(starts))
    return Repeats(marks, head=[spelt(0)], tail=[spelt(len(starts) - 1)])


def of_lines(text: Text, starts: Places, ends: Places, times: Floats, prices: Floats) -> Repeats:
    """Return the repeats among lines; `times` and `prices` tell which need not be looked at."""
    fresh = times[1:] != times[:-1]
    marks = None
    if not fresh.all():
        alone = np.concatenate([[True], fresh])
        alone[:-1] &= fresh
        rows = np.flatnonzero(~alone)
        keys = (times[rows].view(np.uint64) * _MIXER ^ prices[rows].view(np.uint64)) * _MIXER
        rows, others = _repeated(text, starts, ends, rows[_not_alone(keys)])
        if rows.size:
            runs = np.concatenate([[0], np.cumsum(fresh)])
            marks = _marked(rows[runs[rows] == runs[others]], len(times))
    return _at_borders(marks, fresh, times, _spelling(text, starts, ends))


def of_told_ids(ids: Sequence[bytes], codes: Codes | None) -> Repeats:
    """Return the same for ids that are texts already."""
    again = np.array([False, *(one == other != b"" for other, one in pairwise(ids))])
    if codes is not None:
        again[1:] &= codes[1:] == codes[:-1]
    return Repeats(again if again.any() else None, head=ids[:1], tail=ids[-1:])


def of_told_lines(lines: Sequence[bytes], times: Floats) -> Repeats:
    """Return the same for lines that are texts already."""
    fresh = times[1:] != times[:-1]
    again = np.zeros(len(times), dtype=bool)
    seen: set[bytes] = set()
    for n, line in enumerate(lines):
        if n and fresh[n - 1]:
            seen.clear()
        again[n] = line in seen
        seen.add(line)
    return _at_borders(again if again.any() else None, fresh, times, lines.__getitem__)


def _spelling(text: Text, starts: Places, ends: Places) -> Callable[[int], bytes]:
    return lambda n: text.bytes[starts[n] : ends[n]].tobytes().rstrip(b"\r")


def _at_borders(marks: Bools | None, fresh: Bools, times: Floats, spelt: Callable[[int], bytes]) -> Repeats:
    rows = len(times)
    begin, end = (int(np.argmax(order)) + 1 if order.any() else rows for order in (fresh, fresh[::-1]))
    head = [spelt(n) for n in range(min(begin, _BORDER))]
    tail = [spelt(n) for n in range(rows - min(end, _BORDER), rows)]
    return Repeats(marks, float(times[0]), float(times[-1]), head, tail, whole=len(head) == rows)


def _repeated(text: Text, starts: Places, ends: Places, rows: Numbers) -> tuple[Numbers, Numbers]:
    """Return those of the rows that are spelt like another that stands before, and the last such other one."""
    prints = _prints(text, starts[rows], ends[rows])
    twice = _not_alone(prints)
    rows, prints = rows[twice], prints[twice]
    order = np.argsort(prints, kind="stable")
    equal = np.flatnonzero(prints[order][1:] == prints[order][:-1])
    return _same(text, starts, ends, rows[order[equal + 1]], rows[order[equal]])


def _not_alone(numbers: Words) -> Bools:
    """Mark all numbers that occur twice, and a few that do not."""
    buckets = (numbers >> _BUCKETS).astype(np.intp)
    own = np.arange(len(numbers), dtype=np.int32)
    holders = np.empty(1 << (64 - int(_BUCKETS)), np.int32)
    holders[buckets] = own
    holder = holders[buckets]
    found: Bools = holder != own
    found[holder[found]] = True
    return found


def _prints(text: Text, starts: Places, ends: Places) -> Words:
    """Return a number for each cell that is the same where cells are the same, and hardly ever elsewhere."""
    prints = np.zeros(len(starts), dtype=np.uint64)
    widths = ends - starts
    count = min(-(-int(widths.max(initial=1)) // 8), MARGIN // 8)
    for done in range(0, int(widths.max(initial=0)), 8 * count):
        words = text.load(np.maximum(ends - done - 8 * count, 0), count)[::-1]
        for n, word in enumerate(words):
            prints = (prints ^ tails(word, np.maximum(widths - done - 8 * n, 0))) * _MIXER
            prints ^= prints >> _FOLD
    return prints


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


def _marked(rows: Numbers, number: int) -> Bools | None:
    if not rows.size:
        return None
    marks = np.zeros(number, dtype=bool)
    marks[rows] = True
    return marks

"""A number for each of many cells or lines, by which equal ones are found without looking at them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Bools
from arena.feeds.files.words import MARGIN, TAILS, ZEROS, Places, Text, Words

Numbers = npt.NDArray[np.intp]

_MIXER, _WIDTH = 0x9E3779B97F4A7C15, np.uint64(0xD6E8FEB86659FD93)
_FOLD = np.uint64(29)
_ROOMY = 8  # buckets for each number


def prints(text: Text, starts: Places, ends: Places) -> Words:
    """Return numbers of 64 bits that are the same where cells are the same, and hardly ever elsewhere.

    They depend on nothing but the cell, so that those of several blocks may be compared.
    """
    widths = ends - starts
    found = widths.astype(np.uint64) * _WIDTH
    count = min(-(-int(widths.max(initial=1)) // 8), MARGIN // 8)
    for done in range(0, int(widths.max(initial=0)), 8 * count):
        words = text.load(np.maximum(ends - done - 8 * count, 0), count)[::-1]
        for n, word in enumerate(words, done // 8):
            # A word before the cell is 0 and stays 0, however many of them there are.
            value = (word ^ ZEROS) & TAILS[np.clip(widths - 8 * n, 0, 8)]
            value *= np.uint64(_MIXER * (2 * n + 1) % 2**64)
            value ^= value >> _FOLD
            value *= np.uint64(_MIXER)
            found += value
    return found


def laid_out(cells: Sequence[bytes]) -> tuple[Text, Places, Places]:
    """Return a text of these cells, and where they begin and end."""
    ends = np.cumsum([len(cell) + 1 for cell in cells], dtype=np.int64) - 1 + MARGIN
    return Text.of(b"\n".join(cells)), np.concatenate([[MARGIN], ends[:-1] + 1])[: len(cells)], ends


def not_alone(numbers: Words) -> Bools:
    """Mark all numbers that occur twice, and a few that do not."""
    bits = (_ROOMY * len(numbers)).bit_length()
    return shared((numbers >> np.uint64(64 - bits)).view(np.int64), 1 << bits)


def shared(buckets: npt.NDArray[np.int64], size: int) -> Bools:
    """Mark all whose bucket, a number below `size`, has another one in it."""
    own = np.arange(len(buckets), dtype=np.int32)
    holders = np.empty(size, np.int32)
    holders[buckets] = own
    holder = holders[buckets]
    found: Bools = holder != own
    found[holder[found]] = True
    return found


def pairs(numbers: Words) -> tuple[Numbers, Numbers]:
    """Return the places of all numbers that have occurred before, and where each did so last."""
    twice = np.flatnonzero(not_alone(numbers))
    some = numbers[twice]
    order = np.argsort(some, kind="stable")
    equal = np.flatnonzero(some[order][1:] == some[order][:-1])
    return twice[order[equal + 1]], twice[order[equal]]


def marked(rows: Numbers, number: int) -> Bools | None:
    """Return marks for some of so many rows, None if there are none."""
    if not rows.size:
        return None
    marks = np.zeros(number, dtype=bool)
    marks[rows] = True
    return marks

"""Which trades of a file have a trade id that was there before.

Looked for is the same id of the same symbol among the ten thousand rows before, wherever blocks end.
Ids that only come out of order are no repeats. In most files ids rise from row to row, and then nothing
has to be looked up. Rows that repeat an id count; they are only marked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from arena.feeds.files.prints import Numbers, laid_out, marked, pairs, prints
from arena.feeds.files.tape import Bools, Codes, Rows
from arena.feeds.files.words import HEADS, Places, Text, Words, tails

WINDOW = 10_000  # rows
_LONGEST = 16  # characters of ids that are known to rise


class Ids:
    """The trade ids of one block.

    `trend` is 1 where each is above the one before, -1 where each is below, else 0; `first` and `last`
    are keys in the order of numbers.
    """

    def __init__(self, text: Text, starts: Places, ends: Places, symbols: tuple[str, ...], codes: Codes | None) -> None:
        # Words at hand and other columns are let go, for the ids of a block are kept until the next one.
        self._cells = Text(text.bytes, text.stop), np.ascontiguousarray(starts), np.ascontiguousarray(ends)
        self._symbols, self._codes = symbols, codes
        self.first, self.last = (text.bytes[starts[row] : ends[row]].tobytes().rjust(_LONGEST, b"0") for row in (0, -1))
        self.trend = _trend(text, starts, ends) if codes is None else 0
        self._prints: Words | None = None
        if not self.trend:
            self.prints()  # now, as blocks are worked on side by side

    def __len__(self) -> int:
        return len(self._cells[1])

    def prints(self) -> Words:
        """Return numbers that tell ids of symbols apart."""
        if self._prints is None:
            salts = [int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) for name in self._symbols]
            table = np.array([*salts, 0], dtype=np.uint64)
            salt = table[0] if self._codes is None else table[self._codes]
            self._prints = prints(*self._cells) ^ salt
        return self._prints

    def there(self, rows: Numbers) -> Bools:
        """Mark those of the rows that have an id."""
        _, starts, ends = self._cells
        return ends[rows] > starts[rows]


def _trend(text: Text, starts: Places, ends: Places) -> int:
    """Tell whether all ids rise or all fall, as numbers with zeros before them."""
    widths = ends - starts
    shortest, longest = int(widths.min()), int(widths.max())
    if not 1 <= shortest <= longest <= _LONGEST:
        return 0
    count = -(-longest // 8)
    if shortest == longest:
        words = text.load(starts, count)
        words[-1] = words[-1] & HEADS[longest - 8 * (count - 1)]
    else:
        words = text.load(ends - 8 * count, count)
        words = [tails(word, np.maximum(widths - 8 * (count - 1 - n), 0)) for n, word in enumerate(words)]
    words = [word.byteswap() for word in words]
    if _each_above(words, slice(1, None), slice(None, -1)):
        return 1
    return -1 if _each_above(words, slice(None, -1), slice(1, None)) else 0


def _each_above(words: list[Words], one: slice, other: slice) -> bool:
    *heads, last = words
    above = last[one] > last[other]
    for word in reversed(heads):
        above = (word[one] > word[other]) | ((word[one] == word[other]) & above)
    return bool(above.all())


class Seen:
    """Marks the ids that were there before."""

    def __init__(self) -> None:
        self._recent: deque[Ids] = deque()
        self._trend: int | None = None  # of all ids in the window, None before the first
        self._last = b""

    def mark(self, rows: Rows, found: Ids) -> None:
        """Take the next block, of which no row may be lost yet."""
        on = found.trend != 0 and self._trend in {None, found.trend} and found.first != self._last
        if on and self._trend is not None:
            on = (found.first > self._last) == (found.trend > 0)
        if not on:
            rows.again = self._again(found)
        self._trend = found.trend if on or len(found) >= WINDOW else 0
        self._last = found.last
        self._recent.append(found)
        while sum(map(len, self._recent)) - len(self._recent[0]) >= WINDOW:
            self._recent.popleft()

    def _again(self, found: Ids) -> Bools | None:
        past = [ids.prints() for ids in self._recent]
        before = np.concatenate([*past, np.empty(0, np.uint64)])[-WINDOW:]
        later, earlier = pairs(np.concatenate([before, found.prints()]))
        near = (later - earlier <= WINDOW) & (later >= len(before))
        again = later[near] - len(before)
        return marked(again[found.there(again)], len(found))


def of_told_ids(cells: Sequence[bytes], symbols: tuple[str, ...], codes: Codes | None) -> Ids:
    """Return the ids of a block that are texts already."""
    return Ids(*laid_out(cells), symbols, codes)

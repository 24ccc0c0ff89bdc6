"""Tables whose lines are all cut alike, read block by block with numpy alone.

This is how nearly all market files are, and it is faster than a general reader, which has to expect
anything anywhere. A block that holds anything else (a stray quote, a missing cell, a word for a number) is
not read here at all: None sends it to the general reader, which gives the same numbers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arena.feeds.files.aligned import aligned
from arena.feeds.files.clock import iso_times
from arena.feeds.files.layouts import Layout
from arena.feeds.files.repeats import Repeats, of_ids, of_lines
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Bools, Codes, Floats
from arena.feeds.files.words import HEADS, MARGIN, Places, Text, Words, decimals

_SPECIAL = ord(",")  # all signs that can part cells or lines come before the digits
_HARMLESS = b' +"'  # signs that may stand inside a cell, or around it
_BLANK = ord(" ")  # before it are signs of control
_PEEK = 200  # bytes in which quotes show, if all lines have some
_MOST_SYMBOLS = 64  # of one block


@dataclass(slots=True)
class Cells:
    """The cells in use of one block: times as they stand there, the price's sides, and the rest."""

    times: Floats
    sides: list[Floats]
    symbols: tuple[str, ...] = ()
    codes: Codes | None = None
    volumes: Floats | None = None
    flags: Floats | None = None
    repeats: Repeats | None = None


class Cutter:
    """Where the cells of one block begin and end."""

    def __init__(self, text: Text, marks: npt.NDArray[np.int64], separator: int) -> None:
        self.text = text
        self.fits = False
        signs = text.bytes[marks]
        ends = np.flatnonzero(signs[:4096] == ord("\n"))
        width = int(ends[0]) + 1 if ends.size else 0
        if not width or len(marks) % width:
            return
        self._grid = marks.reshape(-1, width)
        line = signs[:width]
        self._last = width - 2 if line[width - 2 :].tobytes() == b"\r\n" else width - 1
        self._ends, self._quotes = _columns(line[: self._last].tobytes(), separator)
        others = set(line[: self._last].tobytes()) - {separator, *_HARMLESS}
        # Lines are alike where every sign is that of the line before.
        self.fits = not others and bool((signs[width:] == signs[:-width]).all())

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return len(self._quotes)

    def lines(self) -> tuple[Places, Places]:
        """Return where the lines begin and end."""
        return _lines(self._grid)

    def column(self, place: int) -> tuple[Places, Places]:
        """Return where the cells of a column begin and end; they come back empty if quotes are not around them all."""
        if place:
            starts = self._grid[:, self._ends[place - 1]] + 1
        else:
            starts, _ = self.lines()
        ends = self._grid[:, self._ends[place] if place < len(self._ends) else self._last]
        quotes = self._quotes[place]
        if not quotes:
            return starts, ends
        first, last = self._grid[:, quotes[0]], self._grid[:, quotes[-1]]
        around = len(quotes) == 2 and (first == starts).all() and (last == ends - 1).all()
        return (starts + 1, last) if around else (starts, starts)


class QuotedCutter:
    """Where the cells of one block begin and end, if whole columns have quotes around all of their cells.

    Quotes are then only looked for where cells begin and end, and counted, for there may be no others.
    """

    def __init__(self, text: Text, separator: int) -> None:
        self.text = text
        self.fits = False
        inside = text.bytes[MARGIN : text.stop]
        borders = inside == ord("\n")
        lines = int(np.count_nonzero(borders))
        borders |= inside == separator
        marks = np.flatnonzero(borders)
        marks += MARGIN
        if not lines or len(marks) % lines:
            return
        self.width = len(marks) // lines
        self._grid = marks.reshape(-1, self.width)
        if (text.bytes[self._grid[:, -1]] != ord("\n")).any():
            return
        first = [MARGIN, *(self._grid[0, :-1] + 1)]
        self._quoted = [bool(text.bytes[begin] == ord('"')) for begin in first]
        controls = len(self._grid) * (self.width if separator < _BLANK else 1)
        self.fits = bool(np.count_nonzero(inside < _BLANK) == controls) and self._is_quoted(inside, borders)

    def lines(self) -> tuple[Places, Places]:
        """Return where the lines begin and end."""
        return _lines(self._grid)

    def _cells(self, place: int) -> tuple[Places, Places]:
        starts = self._grid[:, place - 1] + 1 if place else self.lines()[0]
        return starts, self._grid[:, place]

    def _is_quoted(self, inside: npt.NDArray[np.uint8], borders: Bools) -> bool:
        """Tell whether all quotes are those around the cells of quoted columns."""
        quotes = inside == ord('"')
        if np.count_nonzero(quotes) != 2 * sum(self._quoted) * len(self._grid):
            return False
        if all(self._quoted):
            # To look at the text from left to right is quicker than to go to where each cell begins and ends.
            flanked = borders[1:-1] & quotes[:-2]
            flanked &= quotes[2:]
            apart = np.diff(self._grid.reshape(-1), prepend=MARGIN - 1).min() > len('""')
            return bool(apart and quotes[-2] and np.count_nonzero(flanked) == self._grid.size - 1)
        quoted = [self._cells(place) for place, marked in enumerate(self._quoted) if marked]
        return all(self._have_quotes(starts, ends - 1) for starts, ends in quoted)

    def _have_quotes(self, firsts: Places, lasts: Places) -> bool:
        signs = self.text.bytes
        both = (signs[firsts] == ord('"')) & (signs[lasts] == ord('"')) & (firsts < lasts)
        return bool(both.all())

    def column(self, place: int) -> tuple[Places, Places]:
        """Return where the cells of a column begin and end, without their quotes."""
        starts, ends = self._cells(place)
        return (starts + 1, ends - 1) if self._quoted[place] else (starts, ends)


def _lines(grid: Places) -> tuple[Places, Places]:
    return np.concatenate([[MARGIN], grid[:-1, -1] + 1]), grid[:, -1]


def _columns(line: bytes, separator: int) -> tuple[list[int], list[list[int]]]:
    """Return by the signs of a line which of them end a column, and which are the quotes of each."""
    ends: list[int] = []
    quotes: list[list[int]] = [[]]
    for n, sign in enumerate(line):
        if sign == ord('"'):
            quotes[-1].append(n)
        elif sign == separator and len(quotes[-1]) % 2 == 0:
            ends.append(n)
            quotes.append([])
    return ends, quotes


def cut(text: Text, separator: str) -> Cutter | QuotedCutter | None:
    """Return where the cells of a block are, or None if its lines differ."""
    sign = ord(separator)
    inside = text.bytes[MARGIN : text.stop]
    if (inside[:_PEEK] == ord('"')).any():
        quoted = QuotedCutter(text, sign)
        if quoted.fits:
            return quoted
    special = inside <= _SPECIAL
    if sign > _SPECIAL:
        special |= inside == sign
    found = Cutter(text, np.flatnonzero(special) + MARGIN, sign)
    return found if found.fits else None


def can_read(shape: Shape, layout: Layout) -> bool:
    """Tell whether a table is of the kind that is read here at all."""
    return len(layout.time) == 1 and not shape.decimal_comma and sys.byteorder == "little"


def read_block(block: Text, shape: Shape, layout: Layout, *, numeric: bool) -> Cells | None:
    """Return the cells of a block, or None if one of them needs the general reader."""
    found = cut(block, shape.separator)
    if found is None or max(layout.used()) >= found.width:
        return None
    times = _decimals(found, layout.time[0]) if numeric else iso_times(block, *found.column(layout.time[0]))
    if times is None or np.isnan(times.max()):
        return None
    optional = (layout.volume, layout.flag)
    columns = [None if place is None else _decimals(found, place) for place in (*layout.price, *optional)]
    wanted = [place is not None for place in (*layout.price, *optional)]
    if any(want and column is None for want, column in zip(wanted, columns, strict=True)):
        return None
    *sides, volumes, flags = columns
    cells = Cells(times, [side for side in sides if side is not None], volumes=volumes, flags=flags)
    if layout.symbol is not None and not _name(cells, found, layout.symbol):
        return None
    if layout.has_deals():
        if layout.id is None:
            cells.repeats = of_lines(block, *found.lines(), times, cells.sides[0])
        else:
            cells.repeats = of_ids(block, *found.column(layout.id), cells.codes)
    return cells


def _decimals(found: Cutter | QuotedCutter, place: int) -> Floats | None:
    starts, ends = found.column(place)
    numbers = aligned(found.text, starts, ends)
    return decimals(found.text, starts, ends) if numbers is None else numbers


def _name(cells: Cells, found: Cutter | QuotedCutter, place: int) -> bool:
    """Put in the symbols of up to sixteen characters; codes stay away where there is only one."""
    starts, ends = found.column(place)
    widths = ends - starts
    if widths.min() < 1 or widths.max() > 16:
        return False
    words = found.text.load(starts, 2 if widths.max() > 8 else 1)
    low, high = words[0] & HEADS[np.minimum(widths, 8)], words[-1]
    high = low if len(words) == 1 else high & HEADS[np.maximum(widths - 8, 0)]
    codes = _numbered(low, high)
    if codes is None:
        return False
    firsts = [int(np.argmax(codes == code)) for code in range(int(codes.max()) + 1)]
    raw = [found.text.bytes[starts[n] : ends[n]].tobytes() for n in firsts]
    names = [name.decode("latin-1").strip() for name in raw]
    if not all(name.isascii() and name for name in names):
        return False
    cells.symbols = tuple(sorted(set(names)))
    places = np.array([cells.symbols.index(name) for name in names], dtype=np.int64)
    cells.codes = None if len(cells.symbols) == 1 else places[codes]
    return True


def _numbered(low: Words, high: Words) -> Codes | None:
    """Return numbers that are equal where words are, or None if there are too many kinds."""
    if (low == low[0]).all() and (high == high[0]).all():
        return np.zeros(len(low), dtype=np.int64)
    codes = np.full(len(low), -1, dtype=np.int64)
    at = 0
    for number in range(_MOST_SYMBOLS):
        same = (low == low[at]) & (high == high[at])
        codes[same] = number
        rest = codes < 0
        at = int(np.argmax(rest))
        if not rest[at]:
            return codes
    return None

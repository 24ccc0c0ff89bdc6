"""Where the cells of a block begin and end, for blocks whose lines are cut alike.

Only line ends are listed; the signs between columns are looked for from cell to cell, and no further
than the last column in use. Where that does not do, all signs are listed, which takes twice the time
but also knows cells with a separator within quotes, and lines of a few characters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arena.feeds.files.bits import Bits, moved, number
from arena.feeds.files.words import MARGIN, Loaded, Places, Text, Words, at, distance_to

Column = tuple[Text, Places, Places]  # a text that can be loaded from, and where cells begin and end in it

_SPECIAL = ord(",")  # all signs that can part cells or lines come before the digits
_HARMLESS = b' +"'  # signs that may stand inside a cell, or around it
_SAMPLE = 20  # lines
_NEAR = 3  # the place of a column up to which cells are looked for one by one
_PEEK = 200  # bytes in which quotes show, if all lines have some
_MOST_WORDS = 5  # of a cell
_QUOTE, _RETURN, _END = b'"\r\n'


class LineCutter:
    """Finds cells from the begin of each line on; a column has quotes around all of its cells, or around none.

    What stands behind the `last` column in use may differ from line to line. In the `plain` ones nothing
    but a number or a time is read, so that a separator where none should be will be noticed.
    """

    def __init__(self, text: Text, separator: int, last: int, plain: set[int]) -> None:
        self.fits = False
        self._text, self._separator, self._last, self._plain = text, separator, last, plain
        inside = text.bytes[MARGIN : text.stop]
        line_ends = Bits(inside == _END)
        ends = line_ends.places()
        if ends is None or not ends.size:
            return
        self._starts = np.concatenate([[MARGIN], ends[:-1] + 1])
        self._ends = ends
        if _holds(inside, _RETURN):
            self._ends = ends - 1
            if (text.bytes[self._ends] != _RETURN).any() or np.count_nonzero(inside == _RETURN) != len(ends):
                return
        self._look(bytes(text.bytes[MARGIN : ends[:_SAMPLE][-1]]))
        self._cells: list[Column] = []
        self._next = self._starts
        self._loaded: Loaded | None = None
        self._sure = False  # that cells have quotes around them
        self.fits = not _holds(inside, _QUOTE) or self._are_around(inside, line_ends)

    def _look(self, head: bytes) -> None:
        """Learn from some lines how wide columns are."""
        lines = [line.split(bytes([self._separator])) for line in head.splitlines()]
        # As many columns as all of them have.
        widths = [[len(cell) for cell in column] for column in zip(*lines, strict=False)]
        self._quoted = [cell.startswith(b'"') for cell, _ in zip(lines[0], widths, strict=False)]
        self._longest = [max(column) for column in widths]
        self._fixed = [min(column) == max(column) for column in widths]
        self.width = len(widths)

    def _are_around(self, inside: npt.NDArray[np.uint8], line_ends: Bits) -> bool:
        """Tell whether all quotes are those around the cells of quoted columns."""
        quotes = Bits(inside == _QUOTE).words
        if all(self._quoted):
            # On both sides of each border is a quote, no two borders share one, and there are no others.
            borders = Bits(inside == self._separator).words | line_ends.words
            around = not (borders & ~moved(quotes, 1)).any() and number(borders & ~moved(quotes, -1)) == 1
            apart = not (borders & moved(borders, 2)).any()
            self._sure = around and apart and number(quotes) == 2 * number(borders)
            return self._sure
        columns = [n for n, quoted in enumerate(self._quoted) if quoted]
        if number(quotes) != 2 * len(columns) * len(self._starts):
            return False
        return all(self.column(n) is not None for n in columns)

    def lines(self) -> Column:
        """Return where the lines begin and end, without what ends them."""
        return self._text, self._starts, self._ends

    def column(self, place: int) -> Column | None:
        """Return where the cells of a column begin and end, without quotes; None if one is not there or not quoted."""
        while len(self._cells) <= place:
            if not self._go_on(len(self._cells)):
                return None
        text, starts, ends = self._cells[place]
        if not self._quoted[place]:
            return text, starts, ends
        signs = text.bytes
        if not (self._sure or ((signs[starts] == _QUOTE) & (signs[ends - 1] == _QUOTE) & (starts < ends - 1)).all()):
            return None
        within = starts + 1
        if isinstance(text, Loaded):
            text.know(within, text.distance(starts) + 1)
        return text, within, ends - 1

    def _go_on(self, place: int) -> bool:
        """Find where the cells of the next column end; one of more than forty characters is not found."""
        starts, longest = self._next, self._longest[place]
        if place == self.width - 1:
            if place not in self._plain and not self._are_no_wider():
                return False
            self._cells.append((self._loaded or self._text, starts, self._ends))
            return bool((starts <= self._ends).all())
        if longest >= 8 * _MOST_WORDS:
            return False
        loaded, distance = self._at_hand(place)
        width = self._fixed_width(loaded.load(starts, longest // 8 + 1), place)
        if width:
            ends = starts + width
        else:
            words = loaded.load(starts, longest // 8 + 1)
            # A plain cell without anything in it is refused later on; to leave out one place may save a word.
            begin = int(longest % 8 == 0 < longest and place in self._plain)
            words = [at(words, begin + 8 * n) for n in range(len(words) - begin)]
            widths = distance_to(self._separator, words)
            if widths.max() < 8 * len(words):
                widths += np.uint8(begin)
            else:
                widths = distance_to(self._separator, self._text.load(starts, _MOST_WORDS))
                if widths.max() == 8 * _MOST_WORDS:
                    return False
            ends = starts + widths
        self._cells.append((loaded, starts, ends))
        self._next = ends + 1
        if width:
            loaded.know(self._next, distance + width + 1)
        else:
            self._loaded = None
        return bool((ends <= self._ends).all())

    def _are_no_wider(self) -> bool:
        """Tell whether no line has more cells than there are columns; a text would take them for its own."""
        inside = self._text.bytes[MARGIN : self._text.stop]
        return bool(np.count_nonzero(inside == self._separator) == (self.width - 1) * len(self._starts))

    def _at_hand(self, place: int) -> tuple[Loaded, int]:
        """Return words with the next column's cells and those that follow at one distance, and where they begin."""
        if self._loaded is not None:
            distance = self._loaded.distance(self._next)
            if self._loaded.reach(distance) > self._longest[place] // 8:
                return self._loaded, distance
        size = self._longest[place] + 1
        while self._fixed[place] and place < min(self._last, self.width - 1):
            place += 1
            size += self._longest[place] + 1
        self._loaded = Loaded(self._text, self._next, min(-(-(size + 1) // 8), MARGIN // 8))
        return self._loaded, 0

    def _fixed_width(self, words: list[Words], place: int) -> int:
        """Return how wide all cells of a column are, 0 if they differ."""
        width = self._longest[place]
        if not self._fixed[place]:
            return 0
        n, shift = divmod(width, 8)
        if ((words[n] >> np.uint64(8 * shift)) & np.uint64(0xFF) != self._separator).any():
            return 0
        if place in self._plain:
            return width
        return width if (distance_to(self._separator, words) == width).all() else 0


def _holds(inside: npt.NDArray[np.uint8], sign: int) -> bool:
    """Tell whether a sign stands anywhere in a text; to search a text is quicker than to compare all of its signs."""
    return bool(np.strings.find(inside.view(f"S{len(inside)}"), bytes([sign]))[0] >= 0)


class Cutter:
    """Finds cells by a list of all signs that can part them, which must be the same in all lines."""

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

    def lines(self) -> Column:
        """Return where the lines begin and end, without what ends them."""
        return self.text, np.concatenate([[MARGIN], self._grid[:-1, -1] + 1]), self._grid[:, self._last]

    def column(self, place: int) -> Column | None:
        """Return where the cells of a column begin and end, without quotes; None if they are not around them all."""
        if place:
            starts = self._grid[:, self._ends[place - 1]] + 1
        else:
            _, starts, _ = self.lines()
        ends = self._grid[:, self._ends[place] if place < len(self._ends) else self._last]
        quotes = self._quotes[place]
        if not quotes:
            return self.text, starts, ends
        first, last = self._grid[:, quotes[0]], self._grid[:, quotes[-1]]
        around = len(quotes) == 2 and (first == starts).all() and (last == ends - 1).all()
        return (self.text, starts + 1, last) if around else None


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


def cut(text: Text, separator: str, used: set[int], plain: set[int]) -> LineCutter | Cutter | None:
    """Return where the cells of a block are, or None if its lines differ.

    `used` are the columns that will be asked for, and `plain` those of them that hold a number or a time.
    """
    sign = ord(separator)
    inside = text.bytes[MARGIN : text.stop]
    # To go from cell to cell does not pay where the way to the last one is long, unless there are quotes to list too.
    if max(used) <= _NEAR or _holds(inside[:_PEEK], _QUOTE):
        lines = LineCutter(text, sign, max(used), plain)
        if lines.fits:
            return lines
    special = inside <= _SPECIAL
    if sign > _SPECIAL:
        special |= inside == sign
    found = Cutter(text, np.flatnonzero(special) + MARGIN, sign)
    return found if found.fits else None

"""ISO times out of raw text, eight characters at a time, for all rows of a block at once.

Cells of one length are taken to be laid out like the first of them, and every character is checked.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Bools, Floats
from arena.feeds.files.words import ZEROS, Places, Text, eight, strangers, tails

ISO = re.compile(
    r"(\d{4})([-/.]?)(\d\d)\2(\d\d)"
    r"(?:[T D](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"( ?(?:Z|z|UTC|GMT|[+-]\d\d:?(?:\d\d)?))?",
)
_SHORTEST, _LONGEST = 8, 40
_PARTS = (1, 3, 4, 5, 6, 7, 8)  # year to fraction
_NONE = np.zeros(1, dtype=np.int64)

Numbers = npt.NDArray[np.int64]
Span = tuple[int, int]
_U = np.uint64


def iso_times(text: Text, starts: Places, ends: Places) -> Floats:
    """Return the times of cells in Unix seconds, NaN where one is no ISO time."""
    widths = ends - starts
    if widths.min() == widths.max():
        return _alike(text, starts, int(widths[0]))
    times = np.empty(len(starts))
    for width in np.flatnonzero(np.bincount(widths)):
        rows = widths == width
        times[rows] = _alike(text, starts[rows], int(width))
    return times


def _alike(text: Text, starts: Places, width: int) -> Floats:
    first = bytes(text.bytes[starts[0] : starts[0] + width])
    match = ISO.fullmatch(first.decode("latin-1")) if _SHORTEST <= width <= _LONGEST else None
    if match is None or not first.isascii():
        return np.full(len(starts), np.nan)
    cells = _Cells(text, starts, width)
    spans = [match.span(part) for part in _PARTS]
    times = _seconds(cells, spans) - offset_of(match.group(9) or "")
    times[cells.unlike_the_first(spans)] = np.nan
    return times


class _Cells:
    """Cells of one width, loaded eight characters at a time; the last eight may overlap."""

    def __init__(self, text: Text, starts: Places, width: int) -> None:
        self._text, self._starts, self._width = text, starts, width
        self._offsets = [*range(0, width - 8, 8), width - 8]
        self._words = [text.load(starts + offset) for offset in self._offsets]

    def unlike_the_first(self, spans: list[Span]) -> Bools:
        """Mark cells without digits in these spans, or elsewhere with something that the first has not."""
        marks = np.zeros(self._width, np.uint8)
        for start, end in spans:
            marks[max(start, 0) : max(end, 0)] = 255
        strange = np.zeros(len(self._starts), dtype=np.uint64)
        for offset, word in zip(self._offsets, self._words, strict=True):
            digits = marks[offset : offset + 8].view("<u8")[0]
            strange |= (word ^ word[0]) & ~digits
            strange |= strangers((word & digits) | (ZEROS & ~digits))
        return np.asarray(strange != 0)

    def pair(self, place: int) -> Numbers:
        """Return the number of the two digits at a place."""
        for offset, word in zip(self._offsets, self._words, strict=True):
            if offset <= place <= offset + 6:
                two = word >> _U(8 * (place - offset))
                break
        else:
            two = self._text.load(self._starts + place)
        number = (two & _U(0x0F)) * _U(10) + ((two >> _U(8)) & _U(0x0F))
        return number.astype(np.int64)

    def fraction(self, start: int, end: int) -> Numbers:
        """Return the number of up to nine digits."""
        last = tails(self._text, self._starts + end, np.array([end - start]))
        value = eight(last).astype(np.int64)
        if end - start == 9:
            value += (self._text.bytes[self._starts + start].astype(np.int64) - 48) * 10**8
        return value


def _seconds(cells: _Cells, spans: list[Span]) -> Floats:
    (start, _), *pairs, (point, end) = spans
    year = cells.pair(start) * 100 + cells.pair(start + 2)
    month, day, hour, minute, second = (cells.pair(place) if place >= 0 else _NONE for place, _ in pairs)
    days, real = _days(year, month, day)
    whole = np.broadcast_to(days * 86400 + hour * 3600 + minute * 60 + second, year.shape)
    # Nine digits of a fraction are nanoseconds; what follows adds nothing.
    end = min(end, point + 9)
    times = _with_fraction(whole, cells.fraction(point, end), end - point) if end > point else whole.astype(np.float64)
    times[~np.broadcast_to(real & (hour <= 23) & (minute <= 59) & (second <= 60), year.shape)] = np.nan
    return times


def _with_fraction(whole: Numbers, fraction: Numbers, digits: int) -> Floats:
    """Return seconds and a fraction as Unix seconds.

    Whole units are divided once, so that a time rounds exactly as Python's own parser has it.
    """
    unit = 10**digits
    if digits <= 6:
        return np.asarray((whole * unit + fraction) / unit, dtype=np.float64)
    return np.asarray(whole + fraction / unit, dtype=np.float64)


def _days(year: Numbers, month: Numbers, day: Numbers) -> tuple[Numbers, Bools]:
    """Return days since the epoch, and which of them are in the calendar."""
    if year[0] == year[-1] and month[0] == month[-1] and day[0] == day[-1]:
        # Most rows of a stretch fall on one day, which is then worked out once.
        one = (year == year[0]) & (month == month[0]) & (day == day[0])
        if one.all():
            year, month, day = year[:1], month[:1], day[:1]
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    days = months.astype("M8[D]") + (day - 1)
    real = (month >= 1) & (month <= 12) & (days.astype("M8[M]") == months)
    return days.astype(np.int64), real


def offset_of(zone: str) -> int:
    """Return the seconds that a zone like `+05:30` is ahead of UTC."""
    digits = re.sub(r"\D", "", zone)
    if not digits:
        return 0
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return (-minutes if "-" in zone else minutes) * 60

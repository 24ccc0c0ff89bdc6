"""ISO times out of raw text, eight characters at a time, for all rows of a block at once.

Cells of one length are taken to be laid out like the first of them, and every character is checked.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from arena.feeds.files.aligned import runs
from arena.feeds.files.tape import Bools, Floats
from arena.feeds.files.words import ZEROS, Places, Text, Words, at, closed, eight, strangers, tails

ISO = re.compile(
    r"(\d{4})([-/.]?)(\d\d)\2(\d\d)"
    r"(?:[T D](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"( ?(?:Z|z|UTC|GMT|[+-]\d\d:?(?:\d\d)?))?",
)
_SHORTEST, _LONGEST = 8, 40
_PARTS = (1, 3, 4, 5, 6, 7, 8)  # year to fraction
_MINUTE = len("2024-01-31 23:59")

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
    words = text.load(starts, -(-width // 8))
    cells = _Cells(words, width)
    spans = [match.span(part) for part in _PARTS]
    minutes, wrong = _minutes(words, cells, spans)
    times, wild = _seconds(minutes, cells, spans)
    if offset := offset_of(match.group(9) or ""):
        times -= offset
    lost = wrong | wild | cells.unlike_the_first(spans, begin=2 if _by_minute(spans) else 0)
    if lost.any():
        times[lost] = np.nan
    return times


def _by_minute(spans: list[Span]) -> bool:
    """Tell whether the first two words are a time to the minute."""
    return spans[4][1] == _MINUTE


class _Cells:
    """Cells of one width, eight characters to a word; behind the last character stands anything."""

    def __init__(self, words: list[Words], width: int) -> None:
        self._words, self._width = words, width

    def unlike_the_first(self, spans: list[Span], begin: int = 0) -> Bools:
        """Mark cells without digits in these spans, or elsewhere with something that the first cell has not.

        Words before the number `begin` are taken as checked.
        """
        marks = np.zeros((2, 8 * len(self._words)), np.uint8)
        marks[1, : self._width] = 255
        for start, end in spans:
            marks[0, max(start, 0) : max(end, 0)] = 255
        strange = np.zeros(len(self._words[0]), dtype=np.uint64)
        for word, digits, inside in list(zip(self._words, *marks.view("<u8"), strict=True))[begin:]:
            if fixed := inside & ~digits:
                strange |= (word ^ word[0]) & fixed
            if digits:
                strange |= strangers((word & digits) | (ZEROS & ~digits))
        return np.asarray(strange != 0)

    def pair(self, place: int) -> Numbers:
        """Return the number of the two digits at a place, 0 where there is none."""
        if place < 0:
            return np.zeros(1, dtype=np.int64)
        two = at(self._words, place)
        return ((two & _U(0x0F)) * _U(10) + ((two >> _U(8)) & _U(0x0F))).astype(np.int64)

    def micros(self, place: int, digits: int) -> Numbers:
        """Return the number of the second at a place and up to six digits of its fraction, in millionths."""
        return eight(closed(self._words, place, 2, 2 + digits)).view(np.int64)

    def fraction(self, start: int, end: int) -> Numbers:
        """Return the number of seven to nine digits."""
        value = eight(tails(at(self._words, end - 8), end - start)).astype(np.int64)
        if end - start == 9:
            value += (at(self._words, start) & _U(0x0F)).astype(np.int64) * 10**8
        return value


def _minutes(words: list[Words], cells: _Cells, spans: list[Span]) -> tuple[Numbers, Bools]:
    """Return the Unix seconds of all cells' minutes, and the wrong ones.

    Rows come in order of time, so that many in succession share a minute, which is then worked out once.
    """
    if not _by_minute(spans):
        return _minute(cells, spans)
    firsts = runs(words[:2])
    few = _Cells([word[firsts] for word in words[:2]], _MINUTE)
    minutes, wrong = _minute(few, spans)
    lengths = np.diff(firsts, append=len(words[0]))
    return np.repeat(minutes, lengths), np.repeat(wrong | few.unlike_the_first(spans), lengths)


def _minute(cells: _Cells, spans: list[Span]) -> tuple[Numbers, Bools]:
    (start, _), *pairs = spans[:5]
    year = cells.pair(start) * 100 + cells.pair(start + 2)
    month, day, hour, minute = (cells.pair(place) for place, _ in pairs)
    days, real = _days(year, month, day)
    seconds = days * 86400 + hour * 3600 + minute * 60
    wrong = ~(real & (hour <= 23) & (minute <= 59))
    return np.broadcast_to(seconds, year.shape), np.broadcast_to(wrong, year.shape)


def _seconds(minutes: Numbers, cells: _Cells, spans: list[Span]) -> tuple[Floats, Bools]:
    (place, _), (point, end) = spans[5:]
    if 0 < end - point <= 6:
        # Whole units are divided once, so that a time rounds exactly as Python's own parser has it.
        micros = cells.micros(place, end - point)
        return (minutes * 10**6 + micros) / 1e6, micros >= 61 * 10**6
    second = cells.pair(place)
    whole = minutes + second
    wild = np.broadcast_to(second > 60, whole.shape)
    # Nine digits of a fraction are nanoseconds; what follows adds nothing.
    end = min(end, point + 9)
    if end <= point:
        return whole.astype(np.float64), wild
    return np.asarray(whole + cells.fraction(point, end) / 10 ** (end - point), dtype=np.float64), wild


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

"""ISO times out of raw text, eight characters at a time, for all rows of a block at once.

Cells of one length are taken to be laid out like the first of them, and every character is checked.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Bools, Floats
from arena.feeds.files.words import (
    HEADS,
    LOWER,
    ZEROS,
    Places,
    Text,
    Words,
    at,
    digits_of,
    eight,
    number_of,
    strangers,
    tails,
)

ISO = re.compile(
    r"(\d{4})([-/.]?)(\d\d)\2(\d\d)"
    r"(?:[T D](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"( ?(?:Z|z|UTC|GMT|[+-]\d\d:?(?:\d\d)?))?",
)
_SHORTEST, _LONGEST = 8, 40
_PARTS = (1, 3, 4, 5, 6, 7, 8)  # year to fraction

Numbers = npt.NDArray[np.int64]
Span = tuple[int, int]
_U = np.uint64
_ALL = _U(2**64 - 1)


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
    cells = _Cells(text.load(starts, -(-width // 8)), width)
    spans = [match.span(part) for part in _PARTS]
    fraction = spans.pop()
    # Rows come in order of time, so that many in succession share a second, which is then worked out once.
    firsts = cells.runs(fraction)
    few = cells.take(firsts)
    seconds, wrong = _seconds(few, spans)
    wrong |= few.unlike_the_first(spans, fraction)
    lengths = np.diff(firsts, append=len(starts))
    times, lost = _with_fraction(seconds, lengths, cells, fraction)
    if offset := offset_of(match.group(9) or ""):
        times -= offset
    if wrong.any():
        times[np.repeat(wrong, lengths)] = np.nan
    if lost is not None:
        times[lost] = np.nan
    return times


class _Cells:
    """Cells of one width, eight characters to a word; behind the last character stands anything."""

    def __init__(self, words: list[Words], width: int) -> None:
        self._words, self._width = words, width

    def take(self, rows: Numbers) -> _Cells:
        """Return some of the cells."""
        return _Cells([word[rows] for word in self._words], self._width)

    def _masks(self, *spans: Span) -> npt.NDArray[np.uint64]:
        """Return for each word which of its bytes are within the spans."""
        marks = np.zeros(8 * len(self._words), np.uint8)
        for start, end in spans:
            marks[max(start, 0) : max(end, 0)] = 255
        return marks.view("<u8")

    def runs(self, fraction: Span) -> Numbers:
        """Return where rows begin that differ from the row before in more than the fraction of a second."""
        fresh = np.ones(len(self._words[0]), dtype=bool)
        fresh[1:] = False
        for word, mask in zip(self._words, self._masks((0, self._width)) & ~self._masks(fraction), strict=True):
            if mask == _ALL:
                fresh[1:] |= word[1:] != word[:-1]
            elif mask:
                kept = word & mask
                fresh[1:] |= kept[1:] != kept[:-1]
        return np.flatnonzero(fresh)

    def unlike_the_first(self, spans: list[Span], fraction: Span) -> Bools:
        """Mark cells without digits in the spans, or elsewhere, but for the fraction, with what the first has not."""
        strange = np.zeros(len(self._words[0]), dtype=np.uint64)
        inside = self._masks((0, self._width)) & ~self._masks(fraction)
        for word, digits, here in zip(self._words, self._masks(*spans), inside, strict=True):
            if fixed := here & ~digits:
                strange |= (word ^ word[0]) & fixed
            if digits:
                strange |= strangers((word & digits) | (ZEROS & ~digits))
        return np.asarray(strange != 0)

    def without(self, digits: Span) -> Bools:
        """Mark cells with something else than digits in a span."""
        strange = np.zeros(len(self._words[0]), dtype=np.uint64)
        for word, mask in zip(self._words, self._masks(digits), strict=True):
            if mask:
                strange |= strangers((word & mask) | (ZEROS & ~mask))
        return np.asarray(strange != 0)

    def pair(self, place: int) -> Numbers:
        """Return the number of the two digits at a place, 0 where there is none."""
        if place < 0:
            return np.zeros(1, dtype=np.int64)
        two = at(self._words, place)
        return ((two & _U(0x0F)) * _U(10) + ((two >> _U(8)) & _U(0x0F))).astype(np.int64)

    def micros(self, start: int, end: int) -> tuple[Numbers, Bools | None]:
        """Return up to six digits of a fraction in millionths, and which cells have something else there."""
        word = at(self._words, start)
        values = digits_of(word, HEADS[end - start])
        lost = self.without((start, end)) if values is None else None
        values = word & HEADS[end - start] & LOWER if values is None else values
        # With two zeros before them, and as many behind them as are missing.
        values <<= _U(16)
        return number_of(values).view(np.int64), lost

    def fraction(self, start: int, end: int) -> Numbers:
        """Return the number of seven to nine digits."""
        value = eight(tails(at(self._words, end - 8), end - start)).astype(np.int64)
        if end - start == 9:
            value += (at(self._words, start) & _U(0x0F)).astype(np.int64) * 10**8
        return value


def _seconds(cells: _Cells, spans: list[Span]) -> tuple[Numbers, Bools]:
    """Return the Unix seconds of cells without their fractions, and which of them are wrong."""
    (start, _), *pairs = spans
    year = cells.pair(start) * 100 + cells.pair(start + 2)
    month, day, hour, minute, second = (cells.pair(place) for place, _ in pairs)
    days, real = _days(year, month, day)
    whole = days * 86400 + hour * 3600 + minute * 60 + second
    wrong = ~(real & (hour <= 23) & (minute <= 59) & (second <= 60))
    return np.broadcast_to(whole, year.shape), np.array(np.broadcast_to(wrong, year.shape))


def _with_fraction(seconds: Numbers, lengths: Numbers, cells: _Cells, fraction: Span) -> tuple[Floats, Bools | None]:
    """Return the times of runs of cells that share a second, and which have something odd for a fraction."""
    start, end = fraction
    if end <= start:
        return np.repeat(seconds.astype(np.float64), lengths), None
    if end - start <= 6:
        # Whole units are divided once, so that a time rounds exactly as Python's own parser has it.
        micros, lost = cells.micros(start, end)
        micros += np.repeat(seconds * 10**6, lengths)
        return np.asarray(micros / 1e6, dtype=np.float64), lost
    # Nine digits of a fraction are nanoseconds; what follows adds nothing.
    last = min(end, start + 9)
    parts = cells.fraction(start, last) / 10 ** (last - start)
    return np.asarray(np.repeat(seconds, lengths) + parts, dtype=np.float64), cells.without(fraction)


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

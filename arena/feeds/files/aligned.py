"""Numbers whose points stand at one place in all cells of a column, or that are all equally long.

That is how times and prices stand in most files. Each number is read in two parts: its head, which
few neighbours change and which is then worked out once for all of them, and its tail.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Floats
from arena.feeds.files.words import (
    EXACT,
    HEADS,
    ZEROS,
    Places,
    Text,
    Words,
    are_digits,
    at,
    digits_of,
    eight,
    number_of,
    strangers,
)

_LONGEST = 16  # digits of a head
_TAIL = 8  # digits of a tail, one word
_SAMPLE = 256  # rows
_STILL = 4  # rows for each number that is worked out
_U = np.uint64
_POINTS = _U((ord(".") ^ ord("0")) * 0x0101010101010101)


def aligned(text: Text, starts: Places, ends: Places) -> Floats | None:
    """Return the numbers of cells, or None if one is not laid out like the first, or spelt otherwise."""
    first = bytes(text.bytes[starts[0] : max(ends[0], starts[0])])
    point = first.find(b".")
    head = len(first) - _TAIL if point < 0 else point
    widths = ends - starts - (head + (point >= 0))
    shortest, digits = int(widths.min()), int(widths.max())
    if not 0 < head <= _LONGEST or shortest < 1 or digits > _TAIL or (point < 0 and shortest < digits):
        return None
    if point >= 0 and head + 1 + digits <= _TAIL:
        return _short(text, starts, head, digits if shortest == digits else widths)
    begin = head + (point >= 0)
    words = text.load(starts, -(-(begin + digits) // 8))
    if shortest < digits:
        return _read(words, head, begin, digits, widths)
    inside = HEADS[(begin + digits - 1) % 8 + 1]
    if _stands_still([word[:_SAMPLE] for word in words], inside):
        firsts = runs([*words[:-1], words[-1] & inside])
        few = _read([word[firsts] for word in words], head, begin, digits, digits)
        return None if few is None else np.repeat(few, np.diff(firsts, append=len(starts)))
    return _read(words, head, begin, digits, digits)


def _stands_still(words: list[Words], inside: np.uint64) -> bool:
    """Tell whether most numbers are those of the row before, as times of whole seconds are."""
    return len(runs([*words[:-1], words[-1] & inside])) * _STILL < len(words[0])


def _read(words: list[Words], head: int, begin: int, digits: int, widths: Places | int) -> Floats | None:
    """Return the numbers whose tails begin at a place and are so wide, at most so many digits, or None."""
    whole = _heads(words, head, 10**digits, pointed=begin > head)
    tails = digits_of(at(words, begin), HEADS[widths])
    if whole is None or tails is None:
        return None
    if digits < _TAIL:
        tails <<= _U(8 * (_TAIL - digits))
    whole += number_of(tails)
    numbers = whole.view(np.int64).astype(np.float64)
    return np.asarray(numbers / 10.0**digits) if begin > head else numbers


def _short(text: Text, starts: Places, head: int, behind: Places | int) -> Floats | None:
    """Return numbers that fit into one word with their point, `behind` of their digits after it, or None."""
    [word] = text.load(starts, 1)
    values = word ^ ZEROS
    if ((values ^ _POINTS) & (HEADS[head + 1] ^ HEADS[head])).any():
        return None
    digits = values & HEADS[head]
    values >>= _U(8)
    values &= HEADS[head + behind] ^ HEADS[head]
    digits |= values
    if not are_digits(digits):
        return None
    return np.asarray(number_of(digits).view(np.int64).astype(np.float64) / 10.0 ** (_TAIL - head))


def _heads(words: list[Words], width: int, unit: int, *, pointed: bool) -> Words | None:
    """Return the first digits of all cells in units of the tail, or None if they are none or too many.

    Behind them must stand a point if there is to be one.
    """
    *words, last = words[: -(-(width + pointed) // 8)]
    words.append(last & HEADS[(width + pointed - 1) % 8 + 1])
    firsts = runs(words)
    heads = _digits([word[firsts] for word in words], width, pointed=pointed)
    if heads is None or int(heads.max()) >= EXACT // unit:
        return None
    heads *= _U(unit)
    return np.repeat(heads, np.diff(firsts, append=len(last)))


def runs(words: list[Words]) -> npt.NDArray[np.intp]:
    """Return where rows begin that differ from the row before."""
    fresh = np.ones(len(words[0]), dtype=bool)
    np.not_equal(words[0][1:], words[0][:-1], out=fresh[1:])
    for word in words[1:]:
        fresh[1:] |= word[1:] != word[:-1]
    return np.flatnonzero(fresh)


def _digits(words: list[Words], width: int, *, pointed: bool) -> Words | None:
    """Return the numbers that the first bytes of words spell."""
    n, place = divmod(width, 8)
    if pointed:
        shift = _U(8 * place)
        if ((words[n] >> shift) != ord(".")).any():
            return None
        words[n] = words[n] & HEADS[place]
    value = np.zeros(len(words[0]), dtype=_U)
    for number, word in enumerate(words[: n + (place > 0)]):
        digits = min(8, width - 8 * number)
        padded = word if digits == 8 else (word << _U(64 - 8 * digits)) | (ZEROS & HEADS[8 - digits])
        if strangers(padded).any():
            return None
        value = value * _U(10**digits) + eight(padded)
    return value

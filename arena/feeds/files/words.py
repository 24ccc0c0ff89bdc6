"""Numbers out of raw text, eight digits at a time, for all rows of a block at once.

Eight bytes are loaded as one integer, and digits are put together inside it by multiplying pairs,
then pairs of pairs. Only plain decimals are read here; whatever else a cell holds, the block is left
to the reader that knows all spellings. What is read is rounded once, as any right parser rounds it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Bools, Floats

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

MARGIN = 32  # bytes before and after a block that may be loaded with a cell
_LONGEST = 24  # characters of a number

_U = np.uint64


def _all(byte: int) -> np.uint64:
    return _U(byte * 0x0101010101010101)


ZEROS, _DOTS, _ONES, _HIGH = _all(0x30), _all(0x2E), _all(0x01), _all(0x80)
_UPPER, _LOWER, _SIX = _all(0xF0), _all(0x0F), _all(0x06)
# The last n of eight bytes; on a little-endian load they are the upper ones.
TAILS = np.array([(2**64 - 1) ^ (2 ** (64 - 8 * n) - 1) if n else 0 for n in range(9)], dtype=_U)
_FILL = ZEROS & ~TAILS
_EXACT = 2.0**53  # integers up to here are doubles
_POWERS = np.array([float(f"1e{n}") for n in range(23)])  # all of them exact


class Text:
    """A block of text that can be loaded from at any place."""

    def __init__(self, data: bytes) -> None:
        padded = b"".join((b"0" * MARGIN, data, b"0" * MARGIN))
        self.bytes = np.frombuffer(padded, np.uint8)
        self._words: Words = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))

    def load(self, places: Places) -> Words:
        """Return the eight bytes at each place."""
        return self._words[places]


def tails(text: Text, ends: Places, widths: Places) -> Words:
    """Return the last bytes of cells, up to eight, with zeros before them."""
    word = text.load(ends - 8)
    if widths.min() < 8:
        kept = np.clip(widths, 0, 8)
        word = (word & TAILS[kept]) | _FILL[kept]
    return word


def strangers(word: Words) -> Words:
    """Return words that are zero where all eight bytes are digits."""
    return ((word & _UPPER) ^ ZEROS) | (((word + _SIX) & _UPPER) ^ ZEROS)


def eight(word: Words) -> Words:
    """Return the number that eight digits spell."""
    value = word & _LOWER
    value = (value * _U(10) + (value >> _U(8))) & _U(0x00FF00FF00FF00FF)
    value = (value * _U(100) + (value >> _U(16))) & _U(0x0000FFFF0000FFFF)
    return (value * _U(10000) + (value >> _U(32))) & _U(0xFFFFFFFF)


def decimals(text: Text, starts: Places, ends: Places) -> Floats | None:
    """Return cells like `69000` and `0.0125` as numbers, or None if one is spelt otherwise."""
    widths = ends - starts
    if widths.min() < 1 or widths.max() > _LONGEST:
        return None
    count = -(-int(widths.max()) // 8)
    words = [tails(text, ends - 8 * n, np.maximum(widths - 8 * n, 0)) for n in range(count)]
    scale = _drop_points(words, widths)
    if scale is None or any(strangers(word).any() for word in words):
        return None
    return _value([eight(word) for word in words], scale)


def _drop_points(words: list[Words], widths: Places) -> npt.NDArray[np.uint8] | None:
    """Close the gaps that decimal points leave; return the number of decimals of each cell."""
    scale = np.zeros(len(words[0]), np.uint8)
    pointed = widths == 0
    for n, word in enumerate(words):
        other = word ^ _DOTS
        mark = (other - _ONES) & ~other & _HIGH
        found = mark != 0
        if not found.any():
            continue
        if (found & (pointed | (widths == 1))).any():
            return None
        pointed |= found
        scale += _drop(words, n, mark, found)
    return scale


def _drop(words: list[Words], n: int, mark: Words, found: Bools) -> npt.NDArray[np.uint8]:
    """Move what stands before a point in word `n`, and all words above it, one digit down."""
    point = mark & (~mark + _U(1))
    above = ~((point << _U(1)) - _U(1))
    below = (point >> _U(7)) - _U(1)
    everywhere = bool(found.all())
    for place in range(n, len(words)):
        word = words[place]
        carried = words[place + 1] >> _U(56) if place + 1 < len(words) else _U(0x30)
        moved = (word & above) | ((word & below) << _U(8)) | carried if place == n else (word << _U(8)) | carried
        words[place] = moved if everywhere else np.where(found, moved, word)
    behind = (np.bitwise_count(above) >> np.uint8(3)) + np.uint8(8 * n)
    return np.asarray(behind if everywhere else np.where(found, behind, np.uint8(0)))


def _value(parts: list[Words], scale: npt.NDArray[np.uint8]) -> Floats | None:
    whole = parts[0]
    if len(parts) > 1:
        whole = whole + parts[1] * _U(10**8)
    if len(parts) > 2:
        if (parts[2] > _U(99)).any():
            return None
        whole = whole + parts[2] * _U(10**16)
    number = whole.astype(np.float64)
    lowest, highest = int(scale.min()), int(scale.max())
    if highest == 0:
        return number
    if highest > 22 or (number > _EXACT).any():
        return None
    return np.asarray(number / (_POWERS[lowest] if lowest == highest else _POWERS[scale]), dtype=np.float64)

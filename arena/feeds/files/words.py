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

MARGIN = 64  # bytes before and after a block that may be loaded with a cell
_LONGEST = 24  # characters of a number

_U = np.uint64


def _all(byte: int) -> np.uint64:
    return _U(byte * 0x0101010101010101)


ZEROS, _DOTS, _ONES, _HIGH = _all(0x30), _all(0x2E), _all(0x01), _all(0x80)
_TO_HIGH = _all(0x80 - 10)
_UPPER, LOWER, _SIX = _all(0xF0), _all(0x0F), _all(0x06)
# The first n of eight bytes; on a little-endian load they are the lower ones, and the last n the upper ones.
HEADS = np.array([2 ** (8 * n) - 1 for n in range(9)], dtype=_U)
TAILS = np.array([(2**64 - 1) ^ (2 ** (64 - 8 * n) - 1) if n else 0 for n in range(9)], dtype=_U)
_PAIRINGS = (
    (_U(10 * 2**8 + 1), _U(8), _U(0x00FF00FF00FF00FF)),
    (_U(100 * 2**16 + 1), _U(16), _U(0x0000FFFF0000FFFF)),
    (_U(10000 * 2**32 + 1), _U(32), _U(0x00000000FFFFFFFF)),
)
EXACT = 2**53  # integers up to here are doubles
_POWERS = np.array([float(f"1e{n}") for n in range(23)])  # all of them exact


class Text:
    """A block of text that can be loaded from at any place.

    It stands in `bytes` from `MARGIN` to `stop`, with at least a margin of anything behind it.
    """

    def __init__(self, raw: npt.NDArray[np.uint8], stop: int) -> None:
        self.bytes = raw
        self.stop = stop

    @classmethod
    def of(cls, data: bytes) -> Text:
        """Return a block of a copy of these bytes."""
        margin = bytes(MARGIN)
        return cls(np.frombuffer(b"".join((margin, data, margin)), np.uint8), MARGIN + len(data))

    def content(self) -> bytes:
        """Return the text."""
        return self.bytes[MARGIN : self.stop].tobytes()

    def load(self, places: Places, count: int) -> list[Words]:
        """Return the first eight bytes at each place, the next eight, and so on."""
        # Bytes of no meaning may stand anywhere, and to fetch many at once costs as little as few.
        size = 8 * count
        view = np.ndarray((len(self.bytes) - size + 1,), f"V{size}", self.bytes.data, strides=(1,))
        found = view[places].view("<u8").reshape(-1, count)
        return [found[:, 0]] if count == 1 else list(np.ascontiguousarray(found.T))


class Loaded(Text):
    """A block of which the first words from many places on are at hand, so that they need not be loaded again.

    To load is what costs most, and cells at one distance from those places are in the same words.
    """

    def __init__(self, text: Text, places: Places, count: int) -> None:
        super().__init__(text.bytes, text.stop)
        self._words = text.load(places, count)
        self._known = [(places, 0)]

    def know(self, places: Places, distance: int) -> None:
        """Take note of places that are all so many bytes behind the first ones."""
        self._known.append((places, distance))

    def distance(self, places: Places) -> int:
        """Return how many bytes known places are behind the first ones."""
        return next(distance for known, distance in self._known if known is places)

    def reach(self, distance: int) -> int:
        """Return how many words are at hand from a distance on."""
        return (8 * len(self._words) - distance) // 8

    def load(self, places: Places, count: int) -> list[Words]:
        """Return the first eight bytes at each place, the next eight, and so on."""
        for known, distance in self._known:
            if known is places and count <= self.reach(distance):
                return [at(self._words, distance + 8 * n) for n in range(count)]
        return super().load(places, count)


def distance_to(sign: int, words: list[Words]) -> npt.NDArray[np.uint8]:
    """Return how many bytes come before the first such sign; all that there are if it is not among them."""
    found = np.zeros(len(words[0]), np.uint8)
    wanted = _all(sign)
    for n, word in enumerate(words):
        other = word ^ wanted
        mark = other - _ONES
        np.invert(other, out=other)
        mark &= other
        mark &= _HIGH
        # Of the marks only the lowest is sure; the bits below it tell its place, all bits that there is none.
        below = mark - _U(1)
        np.invert(mark, out=mark)
        below &= mark
        here = np.bitwise_count(below) >> np.uint8(3)
        found = here if n == 0 else found + here * (found == 8 * n)
    return found


def at(words: list[Words], place: int) -> Words:
    """Return the eight characters from a place on, as far as there are words."""
    n, shift = place // 8, _U(8 * (place % 8))
    if not shift:
        return words[n]
    word = words[n] >> shift
    if n + 1 < len(words):
        word |= words[n + 1] << (_U(64) - shift)
    return word


def tails(word: Words, widths: Places | int) -> Words:
    """Return only the last bytes of words, up to eight, with zeros before them."""
    return ZEROS ^ ((word ^ ZEROS) & TAILS[np.minimum(widths, 8)])


def strangers(word: Words) -> Words:
    """Return words that are zero where all eight bytes are digits."""
    return ((word & _UPPER) ^ ZEROS) | (((word + _SIX) & _UPPER) ^ ZEROS)


def digits_of(word: Words, mask: Words | np.uint64) -> Words | None:
    """Return the values of the digits within a mask, zero elsewhere; None if one of them is no digit."""
    values = word ^ ZEROS
    values &= mask
    return values if are_digits(values) else None


def are_digits(values: Words) -> bool:
    """Tell whether all bytes are values of digits."""
    # A byte above nine reaches the highest bit if so much is added, or has it already.
    above = values + _TO_HIGH
    above |= values
    return not np.bitwise_or.reduce(above) & _HIGH


def eight(word: Words) -> Words:
    """Return the number that eight digits spell."""
    return number_of(word & LOWER)


def number_of(values: Words) -> Words:
    """Return the number whose digits have these values, in the place of them."""
    for factor, bits, mask in _PAIRINGS:
        # The factor adds what is in the upper half of each field to ten, a hundred … times the lower.
        values *= factor
        values >>= bits
        values &= mask
    return values


def decimals(text: Text, starts: Places, ends: Places) -> Floats | None:
    """Return cells like `69000` and `0.0125` as numbers, or None if one is spelt otherwise."""
    widths = ends - starts
    if widths.min() < 1 or widths.max() > _LONGEST:
        return None
    count = -(-int(widths.max()) // 8)
    words = text.load(ends - 8 * count, count)[::-1]
    words = [tails(word, np.maximum(widths - 8 * n, 0) if n else widths) for n, word in enumerate(words)]
    scale = _drop_points(words, widths)
    if scale is None or any(strangers(word).any() for word in words):
        return None
    return _value([eight(word) for word in words], scale)


def _close(words: list[Words], n: int, below: Words, above: Words) -> None:
    """Move the bytes `below` a point in word `n`, and all words that come before it, one digit on."""
    for place in range(n, len(words)):
        word = words[place]
        carried = words[place + 1] >> _U(56) if place + 1 < len(words) else _U(0x30)
        kept = (word & above) | ((word & below) << _U(8)) if place == n else word << _U(8)
        words[place] = kept | carried


def _drop_points(words: list[Words], widths: Places) -> npt.NDArray[np.uint8] | None:
    """Close the gaps that points leave; return the number of decimals of each cell, None if one has two points."""
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
    """Close the gaps that points in word `n` leave; return the number of decimals of each cell."""
    point = mark & (~mark + _U(1))
    above = ~((point << _U(1)) - _U(1))
    behind = (np.bitwise_count(above) >> np.uint8(3)) + np.uint8(8 * n)
    before = words.copy()
    _close(words, n, (point >> _U(7)) - _U(1), above)
    if found.all():
        return np.asarray(behind)
    words[n:] = [np.where(found, new, old) for new, old in zip(words[n:], before[n:], strict=True)]
    return np.where(found, behind, np.uint8(0))


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
    if highest > 22 or (number > EXACT).any():
        return None
    return np.asarray(number / (_POWERS[lowest] if lowest == highest else _POWERS[scale]), dtype=np.float64)

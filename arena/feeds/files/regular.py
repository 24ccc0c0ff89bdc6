"""Tables whose lines are all cut alike, read block by block with numpy alone.

This is how nearly all market files are, and it is faster than a general reader, which has to expect
anything anywhere. A block that holds anything else (a stray quote, a missing cell, a word for a number) is
not read here at all: None sends it to the general reader, which gives the same numbers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from arena.feeds.files.aligned import aligned
from arena.feeds.files.clock import iso_times
from arena.feeds.files.cutting import Column, cut
from arena.feeds.files.ids import Ids
from arena.feeds.files.layouts import Layout
from arena.feeds.files.repeats import Repeats, of_lines
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Codes, Floats
from arena.feeds.files.words import HEADS, Text, Words, decimals

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
    repeats: Repeats | Ids | None = None


def can_read(shape: Shape, layout: Layout) -> bool:
    """Tell whether a table is of the kind that is read here at all."""
    return len(layout.time) == 1 and not shape.decimal_comma and sys.byteorder == "little"


def read_block(block: Text, shape: Shape, layout: Layout, *, numeric: bool) -> Cells | None:
    """Return the cells of a block, or None if one of them needs the general reader."""
    used = layout.used()
    found = cut(block, shape.separator, used, used - {layout.symbol, layout.id})
    if found is None or max(used) >= found.width:
        return None
    columns = {place: column for place in sorted(used) if (column := found.column(place)) is not None}
    if len(columns) < len(used):
        return None
    time = columns[layout.time[0]]
    times = _numbers(time) if numeric else iso_times(*time)
    if times is None or np.isnan(times.max()):
        return None
    optional = (layout.volume, layout.flag)
    numbers = [None if place is None else _numbers(columns[place]) for place in (*layout.price, *optional)]
    wanted = [place is not None for place in (*layout.price, *optional)]
    if any(want and column is None for want, column in zip(wanted, numbers, strict=True)):
        return None
    *sides, volumes, flags = numbers
    cells = Cells(times, [side for side in sides if side is not None], volumes=volumes, flags=flags)
    if layout.symbol is not None and not _name(cells, columns[layout.symbol]):
        return None
    if layout.has_deals():
        if layout.id is None:
            cells.repeats = of_lines(*found.lines(), times, cells.sides[0])
        else:
            cells.repeats = Ids(*columns[layout.id], cells.symbols, cells.codes)
    return cells


def _numbers(column: Column) -> Floats | None:
    numbers = aligned(*column)
    return decimals(*column) if numbers is None else numbers


def _name(cells: Cells, column: Column) -> bool:
    """Put in the symbols of up to sixteen characters; codes stay away where there is only one."""
    block, starts, ends = column
    widths = ends - starts
    if widths.min() < 1 or widths.max() > 16:
        return False
    words = block.load(starts, 2 if widths.max() > 8 else 1)
    low, high = words[0] & HEADS[np.minimum(widths, 8)], words[-1]
    high = low if len(words) == 1 else high & HEADS[np.maximum(widths - 8, 0)]
    codes = _numbered(low, high)
    if codes is None:
        return False
    firsts = [int(np.argmax(codes == code)) for code in range(int(codes.max()) + 1)]
    raw = [block.bytes[starts[n] : ends[n]].tobytes() for n in firsts]
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

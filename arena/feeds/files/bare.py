"""Which columns of a table without header mean what, from the cells themselves."""

from __future__ import annotations

import re

from arena.feeds.files.layouts import Layout
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Kind
from arena.feeds.files.times import looks_like_time

_EPOCH = 1e8  # seconds in 1973; anything below is a count, not a time


def from_cells(shape: Shape) -> Layout | None:
    """Return the layout that the sampled cells of a table speak of, or None."""
    return (
        _histdata(shape)
        or _ninja_trader(shape)
        or _binance(shape)
        or _native(shape)
        or _dated_bars(shape)
        or _bars(shape)
        or _dated_trades(shape)
        or _trades(shape)
    )


def _numbers(shape: Shape, place: int) -> list[float]:
    """Return a column's numbers, or nothing if some cells are none."""
    try:
        return [float(cell) for cell in shape.column(place)]
    except ValueError:
        return []


def _mostly(hits: list[bool]) -> bool:
    return bool(hits) and sum(hits) >= 0.8 * len(hits)


def _epochs(shape: Shape, place: int) -> bool:
    return place < shape.width and _mostly(
        [bool(re.fullmatch(r"\d{9,19}(\.\d+)?", cell)) for cell in shape.column(place)]
    )


def _booleans(shape: Shape, place: int) -> bool:
    return place < shape.width and _mostly([cell.lower() in {"true", "false"} for cell in shape.column(place)])


def _histdata(shape: Shape) -> Layout | None:
    """Recognise HistData's ticks: time to the millisecond, bid, ask, and a volume that is always 0."""
    times = _mostly([bool(re.fullmatch(r"\d{8} \d{9}", cell)) for cell in shape.column(0)])
    return Layout(Kind.TRADES, (0,), (1, 2)) if times and shape.width in {3, 4} else None


def _ninja_trader(shape: Shape) -> Layout | None:
    if shape.separator != ";":
        return None
    cells = shape.column(0)
    if _mostly([bool(re.fullmatch(r"\d{8} \d{6}", cell)) for cell in cells]):
        if shape.width in {5, 6} and _consistent(shape, 1):
            return Layout(Kind.BARS, (0,), (4,), None, 5 if shape.width == 6 else None, ends=True)
        return Layout(Kind.TRADES, (0,), (1,))
    if _mostly([bool(re.fullmatch(r"\d{8} \d{6} \d{7}", cell)) for cell in cells]):
        return Layout(Kind.TRADES, (0,), (1,))
    if _mostly([bool(re.fullmatch(r"\d{8}", cell)) for cell in cells]) and _consistent(shape, 1):
        return Layout(Kind.BARS, (0,), (4,), None, 5 if shape.width > 5 else None)
    return None


def _binance(shape: Shape) -> Layout | None:
    """Recognise klines by their two times, trades and aggTrades by where time and flag stand."""
    if shape.width in {11, 12} and _epochs(shape, 0) and _epochs(shape, 6):
        return Layout(Kind.BARS, (0,), (4,), None, 5)
    if _epochs(shape, 4) and _booleans(shape, 5):
        return Layout(Kind.TRADES, (4,), (1,), id=0)
    if _epochs(shape, 5) and _booleans(shape, 6):
        return Layout(Kind.TRADES, (5,), (1,), id=0)
    return None


def _native(shape: Shape) -> Layout | None:
    if shape.width != 3 or not (_numbers(shape, 0) or _times(shape, 0)):
        return None
    words = _mostly([bool(re.search(r"[A-Za-z]", cell)) for cell in shape.column(1)])
    return Layout(Kind.NATIVE, (0,), (2,), 1) if words else None


def _times(shape: Shape, place: int) -> bool:
    return _epochs(shape, place) or looks_like_time(shape.column(place))


def _consistent(shape: Shape, first: int) -> bool:
    """Tell whether four columns are open, high, low and close: nothing leaves low to high."""
    columns = [_numbers(shape, first + place) for place in range(4)]
    if shape.width < first + 4 or not all(columns):
        return False
    slack = 1 + 1e-9
    bars = zip(*columns, strict=True)
    return _mostly([h * slack >= max(o, c) >= min(o, c) >= low / slack for o, h, low, c in bars])


def _dated_bars(shape: Shape) -> Layout | None:
    """Recognise bars whose date and clock stand in two columns, as MetaTrader writes them."""
    clock = [bool(re.fullmatch(r"\d\d:\d\d(:\d\d)?", cell)) for cell in shape.column(1)]
    if shape.width >= 6 and _mostly(clock) and _consistent(shape, 2):
        return Layout(Kind.BARS, (0, 1), (5,), None, 6 if shape.width > 6 else None)
    return None


def _dated_trades(shape: Shape) -> Layout | None:
    """Recognise prices behind a date and a clock in two columns."""
    clock = [bool(re.fullmatch(r"\d\d:\d\d(:\d\d(\.\d+)?)?", cell)) for cell in shape.column(1)]
    if shape.width < 3 or not _mostly(clock) or not _numbers(shape, 2):
        return None
    note = "The file has no header; columns 1 and 2 were taken as date and clock, column 3 as price."
    return Layout(Kind.NATIVE if shape.width == 3 else Kind.TRADES, (0, 1), (2,), note=note)


def _bars(shape: Shape) -> Layout | None:
    if shape.width < 5 or not _times(shape, 0) or not _consistent(shape, 1):
        return None
    volume = 5 if shape.width > 5 and _numbers(shape, 5) else None
    note = "The file has no header; columns 1 to 5 were taken as time, open, high, low and close."
    return Layout(Kind.BARS, (0,), (4,), None, volume, note=note)


def _trades(shape: Shape) -> Layout | None:
    numbers = _numbers(shape, 1) if shape.width > 1 else []
    if not numbers or not _times(shape, 0) or _mostly([number >= _EPOCH for number in numbers]):
        return None
    kind = Kind.NATIVE if shape.width == 2 else Kind.TRADES
    note = "The file has no header; columns 1 and 2 were taken as time and price."
    return Layout(kind, (0,), (1,), note=note)

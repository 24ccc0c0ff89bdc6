"""Which columns of a table without header mean what, from the cells themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from arena.errors import MarketDataError
from arena.feeds.files.bars import candle_order
from arena.feeds.files.columns import Layout
from arena.feeds.files.naming import has_quote
from arena.feeds.files.report import Floats, RowKind
from arena.feeds.files.sniff import Shape
from arena.feeds.files.sources import Source
from arena.feeds.files.times import clock_kind, fits, looks_like_time, looks_numeric, spelling_of, stamp

_EPOCH = 1e8  # seconds in 1973; anything below is a count, not a time
_GREATEST = 1e300  # no price and no time is near it, and sums of it are still numbers
_COUNTED = 5  # rows from which on consecutive numbers are a count
_MIDDLE = 1.5  # prices of one row are nearer to each other
_WIDEST = 20.0  # a high is not so many times its low
_HISTDATA = "HistData's times are New York's winter time, all the year"


def from_cells(shape: Shape, label: str, names: Iterable[str] = ()) -> Layout | None:
    """Return the layout that the sampled cells of a table speak of, or None; `names` are those of the file."""
    return (
        _histdata(shape, names)
        or _ninja_trader(shape)
        or _binance(shape)
        or _native(shape)
        or _dated_bars(shape, names)
        or _bars(shape)
        or _dated_trades(shape)
        or _trades(shape, label)
    )


def _numbers(shape: Shape, place: int) -> Floats:
    """Return a column's numbers, or nothing if some cells are none."""
    cells = shape.column(place)
    try:
        numbers = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.empty(0)
    return np.where(np.abs(numbers) < _GREATEST, numbers, np.nan)


def _mostly(hits: list[bool]) -> bool:
    return bool(hits) and sum(hits) >= 0.8 * len(hits)


def _epochs(shape: Shape, place: int) -> bool:
    return place < shape.width and _mostly(
        [bool(re.fullmatch(r"\d{9,19}(\.\d+)?", cell)) for cell in shape.column(place)]
    )


def _booleans(shape: Shape, place: int) -> bool:
    return place < shape.width and _mostly([cell.lower() in {"true", "false"} for cell in shape.column(place)])


def _is_histdata(names: Iterable[str]) -> bool:
    return any(re.match(r"(?i)DAT_(ASCII|MT|NT|MS|XLSX)_", name) for name in names)


def _histdata(shape: Shape, names: Iterable[str]) -> Layout | None:
    """Recognise HistData's ticks and bars: time in one cell without signs, and a volume that is always 0."""
    cells = shape.column(0)
    if shape.width in {3, 4} and _mostly([bool(re.fullmatch(r"\d{8} \d{9}", cell)) for cell in cells]):
        note = f"{_HISTDATA}; columns 2 and 3 were taken as bid and ask."
        return Layout(RowKind.TRADES, (0,), (1, 2), zone="-05:00", note=note)
    if shape.separator != ";" or not _mostly([bool(re.fullmatch(r"\d{8} \d{6}", cell)) for cell in cells]):
        return None
    silent = shape.width == 6 and not np.nansum(_numbers(shape, 5)) and _numbers(shape, 5).size > 0
    if shape.width == 6 and (silent or _is_histdata(names)) and (candle := _candle(shape, 1)):
        note = f"{_HISTDATA}; each bar is labelled at its start."
        return Layout(RowKind.BARS, (0,), candle[-1:], candle=candle, zone="-05:00", note=note)
    if _is_histdata(names) and shape.width == 3:
        return Layout(RowKind.TRADES, (0,), (1,), zone="-05:00", note=f"{_HISTDATA}; column 2 was taken as price.")
    return None


def _ninja_trader(shape: Shape) -> Layout | None:
    if shape.separator != ";":
        return None
    cells = shape.column(0)
    if _mostly([bool(re.fullmatch(r"\d{8} \d{6}", cell)) for cell in cells]):
        if shape.width in {5, 6} and (candle := _candle(shape, 1)):
            note = "The file was taken for an export of NinjaTrader, whose bars are labelled at their end."
            volume = 5 if shape.width == 6 else None
            return Layout(RowKind.BARS, (0,), candle[-1:], None, volume, ends=True, candle=candle, note=note)
        return Layout(RowKind.TRADES, (0,), (1,)) if shape.width < 5 else None
    if _mostly([bool(re.fullmatch(r"\d{8} \d{6} \d{7}", cell)) for cell in cells]):
        return Layout(RowKind.TRADES, (0,), (1,))
    return None


def _binance(shape: Shape) -> Layout | None:
    """Recognise klines by their two times, trades and aggTrades by where time and flag stand."""
    if shape.width in {11, 12} and _epochs(shape, 0) and _epochs(shape, 6):
        return Layout(RowKind.BARS, (0,), (4,), None, 5, candle=(1, 2, 3, 4))
    if _epochs(shape, 4) and _booleans(shape, 5):
        return Layout(RowKind.TRADES, (4,), (1,), id=0)
    if _epochs(shape, 5) and _booleans(shape, 6):
        return Layout(RowKind.TRADES, (5,), (1,), id=0)
    return None


def _native(shape: Shape) -> Layout | None:
    if shape.width != 3 or not (_numbers(shape, 0).size or _times(shape, 0)):
        return None
    words = _mostly([bool(re.search(r"[A-Za-z]", cell)) for cell in shape.column(1)])
    return Layout(RowKind.NATIVE, (0,), (2,), 1) if words and _numbers(shape, 2).size else None


def _times(shape: Shape, place: int) -> bool:
    return _epochs(shape, place) or looks_like_time(shape.column(place))


def _candle(shape: Shape, first: int) -> tuple[int, ...]:
    """Return the columns of open, high, low and close among four, or nothing."""
    if shape.width < first + 4:
        return ()
    columns = [_numbers(shape, first + place) for place in range(4)]
    if not all(column.size for column in columns):
        return ()
    numbers = np.column_stack(columns)
    found = candle_order(numbers[::-1] if _runs_back(shape.column(0)) else numbers)
    return tuple(first + place for place in found[0]) if found else ()


def find_candle(shape: Shape, taken: tuple[int, ...]) -> tuple[int, ...]:
    """Return open, high, low and close among the columns of a table: the four that are nearest to each other."""
    back = _runs_back(shape.column(taken[0]))
    best: tuple[float, tuple[int, ...]] = (_WIDEST, ())
    for first in range(shape.width - 3):
        if set(taken) & set(range(first, first + 4)):
            continue
        columns = [_numbers(shape, first + place) for place in range(4)]
        numbers = np.column_stack(columns) if all(column.size for column in columns) else None
        found = None if numbers is None else candle_order(numbers[::-1] if back else numbers)
        if found and found[1] < best[0] * (1 - 1e-9):
            best = found[1], tuple(first + place for place in found[0])
    return best[1]


def _runs_back(cells: list[str]) -> bool:
    """Tell whether times stand newest first."""
    first, last = (stamp(cell) for cell in (cells[0], cells[-1]))
    return cells[-1] < cells[0] if first is None or last is None else last < first


def _dated_bars(shape: Shape, names: Iterable[str]) -> Layout | None:
    """Recognise bars whose date and clock stand in two columns, as MetaTrader writes them."""
    days = shape.column(0)
    if shape.width < 6 or looks_numeric(days) or not _times(shape, 0) or not clock_kind(shape.column(1), hour=False):
        return None
    if not spelling_of(days, lambda: days).bare:
        return None
    candle = find_candle(shape, (0, 1))
    if not candle:
        return None
    volume = max(candle) + 1 if shape.width > max(candle) + 1 and candle[0] == 2 else None
    silent = volume is not None and not np.nansum(_numbers(shape, volume))
    if _is_histdata(names):
        volume = None if silent else volume
        return Layout(
            RowKind.BARS, (0, 1), candle[-1:], None, volume, candle=candle, positional=True, zone="-05:00",
            note=f"{_HISTDATA}; each bar is labelled at its start.",
        )  # fmt: skip
    return Layout(
        RowKind.BARS, (0, 1), candle[-1:], None, volume, candle=candle, positional=True, note=_said(candle, 2)
    )


def _dated_trades(shape: Shape) -> Layout | None:
    """Recognise prices behind a date and a clock in two columns."""
    clock = [bool(re.fullmatch(r"\d\d?:\d\d(:\d\d(\.\d+)?)?", cell)) for cell in shape.column(1)]
    if shape.width < 3 or not _mostly(clock) or not _numbers(shape, 2).size:
        return None
    note = "The file has no header; columns 1 and 2 were taken as date and clock, column 3 as price."
    return Layout(RowKind.NATIVE if shape.width == 3 else RowKind.TRADES, (0, 1), (2,), note=note)


def _said(candle: tuple[int, ...], times: int) -> str:
    names = dict(zip(candle, ("open", "high", "low", "close"), strict=True))
    words = ", ".join(f"{place + 1} as {names[place]}" for place in sorted(names))
    when = "column 1 was taken as time" if times == 1 else "columns 1 and 2 were taken as date and clock"
    return f"The file has no header; {when}, {words}."


def _bars(shape: Shape) -> Layout | None:
    time = next((place for place in range(shape.width) if _is_clockwork(shape, place)), None)
    if shape.width < 5 or time is None:
        return None
    candle = find_candle(shape, (time,))
    if not candle:
        return None
    behind = max(candle) + 1
    volume = behind if behind < shape.width and behind != time and _numbers(shape, behind).size else None
    symbol = next((p for p in range(min(candle)) if p != time and _is_word(shape, p)), None)
    note = _said(candle, 1).replace("column 1 was", f"column {time + 1} was")
    return Layout(RowKind.BARS, (time,), candle[-1:], symbol, volume, candle=candle, positional=True, note=note)


def _is_word(shape: Shape, place: int) -> bool:
    return _mostly([bool(re.search(r"[A-Za-z]", cell)) for cell in shape.column(place)])


def _is_clockwork(shape: Shape, place: int) -> bool:
    """Tell whether a column has the times of bars: dates, or numbers of some age that run one way."""
    cells = [cell for cell in shape.column(place) if cell]
    if not cells or not _times(shape, place):
        return False
    if not looks_numeric(cells):
        return True
    numbers = _numbers(shape, place)
    steps = np.diff(numbers)
    return bool(numbers.size) and bool(max((steps >= 0).mean(), (steps <= 0).mean()) > 0.9 if steps.size else True)


def _trades(shape: Shape, label: str) -> Layout | None:
    numbers = _numbers(shape, 1) if shape.width > 1 else np.empty(0)
    if not numbers.size or not _times(shape, 0) or _mostly([bool(number >= _EPOCH) for number in numbers]):
        return None
    columns = [column for place in range(1, shape.width) if (column := _numbers(shape, place)).size]
    if len(columns) >= 4:
        four = np.column_stack(columns[:4])
        if float(np.median(four.max(axis=1) / np.maximum(four.min(axis=1), 1e-12))) < _MIDDLE:
            row = ", ".join(shape.raw[0][: min(shape.width, 8)])
            raise MarketDataError(
                f"{label} has no header, and in rows like {row!r} no four numbers are open, high, low and close in any "
                "order; say which column is the price with --columns time=1,price=N.",
                usage=True,
            )
    if shape.width > 2 and len(numbers) >= _COUNTED and (np.abs(np.diff(numbers)) == 1).all():
        row = ", ".join(shape.raw[0][: min(shape.width, 8)])
        raise MarketDataError(
            f"{label} has no header, and column 2 of rows like {row!r} counts rows rather than prices; say which "
            "column is the price with --columns time=1,price=N.",
            usage=True,
        )
    kind = RowKind.NATIVE if shape.width == 2 else RowKind.TRADES
    note = "The file has no header; columns 1 and 2 were taken as time and price."
    return Layout(kind, (0,), (1,), note=note)


_STEPS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "daily": 86400.0}
_WORDS = frozenset((
    "lean", "equity", "crypto", "cryptofuture", "forex", "cfd", "index", "usa", "data",
    "coinbase", "gdax", "binance", "kraken", "bitfinex", "bitstamp", "oanda", "fxcm", "csv",
    "zip", "gz", "trade", "trades", "quote", "quotes", "tick", "second", "minute", "hour",
    "daily",
))  # fmt: skip
_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class LeanName:
    """What the names of a LEAN file say."""

    symbol: str | None
    day: float | None
    resolution: str
    quotes: bool
    equity: bool


def read_name(source: Source) -> LeanName:
    """Return what the file's names, inner one first, and its folders say."""
    names = [*reversed(source.names), *reversed(source.path.split("/")[:-1])]
    parts = [re.split(r"[_.\s]+", name.lower()) for name in names]
    flat = [part for group in parts for part in group]
    days = [part for part in flat if re.fullmatch(r"(19|20)\d{6}", part)]
    resolution = next((part for part in flat if part in {"tick", *_STEPS}), "")
    symbols = [
        part
        for group in parts[: len(source.names)]
        for part in group
        if part not in _WORDS and re.fullmatch(r"[a-z][a-z0-9]*", part)
    ]
    days = [part for part in days if fits(part, "%Y%m%d")]
    day = datetime.strptime(days[0], "%Y%m%d").replace(tzinfo=UTC).timestamp() if days else None
    symbol = symbols[0].upper() if symbols else _folder(source, resolution)
    return LeanName(symbol, day, resolution, "quote" in flat, "equity" in flat)


def _folder(source: Source, resolution: str) -> str | None:
    """Return the folder below the resolution, where LEAN keeps the days of one symbol."""
    folders = source.path.lower().split("/")[:-1]
    return folders[-1].upper() if len(folders) > 1 and folders[-2] == resolution else None


def from_lean(shape: Shape, source: Source) -> tuple[Layout, str | None] | None:
    """Return layout and symbol if the table is LEAN's, else None."""
    first = shape.column(0)
    clocks = all(re.fullmatch(r"\d{1,8}(\.\d+)?", cell) and float(cell) < _DAY for cell in first)
    dated = bool(first) and all(re.fullmatch(r"\d{8} \d\d:\d\d", cell) for cell in first)
    name = read_name(source)
    if dated and shape.separator == ",":
        by_hour = any(not cell.endswith("00:00") for cell in first)
        return _layout(shape, name, name.resolution or ("hour" if by_hour else "daily")), name.symbol
    words = any(re.search(r"[A-Za-z]", cell) for cell in shape.column(1))
    if not clocks or words or shape.width < 3 or not (name.day or name.resolution):
        return None
    if name.day is None:
        raise MarketDataError(
            f"{source.path} holds clock times but its name no date; LEAN calls such a file like "
            "20131007_spy_minute_trade.csv."
        )
    resolution = name.resolution or ("minute" if shape.width in {6, 11} else "tick")
    return _layout(shape, name, resolution), name.symbol


def _layout(shape: Shape, name: LeanName, resolution: str) -> Layout:
    price: tuple[int, ...] = (1,) if resolution == "tick" else (4,)
    if name.quotes or shape.width >= 10:
        price = (1, 3) if resolution == "tick" else (4, 9)
    if any(place >= shape.width for place in price):
        price = (1,)
    whole = all("." not in cell for place in price for cell in shape.column(place))
    equity = name.equity or (whole and not has_quote(name.symbol or ""))
    bars = resolution != "tick"
    suspicious = None if bars or len(price) == 2 or shape.width != 6 else 5
    return Layout(
        RowKind.BARS if bars else RowKind.TRADES,
        (0,),
        price,
        volume=5 if bars and len(price) == 1 and shape.width > 5 else None,
        flag=suspicious,
        scale=1e-4 if equity and whole else 1.0,
        step=_STEPS.get(resolution),
        day=name.day,
        zone="America/New_York" if equity else None,
    )

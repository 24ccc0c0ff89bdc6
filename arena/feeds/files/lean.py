"""QuantConnect LEAN files: clock times of one day, whose date stands in the file's name.

Equity prices are times 10,000 and their clocks are New York's; crypto and forex are as they are,
in UTC. A minute file may be a day of trades or a day of quotes; of quotes the middle counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from arena.errors import MarketDataError
from arena.feeds.files.layouts import Layout
from arena.feeds.files.naming import has_quote
from arena.feeds.files.opening import Source
from arena.feeds.files.sniff import Shape
from arena.feeds.files.tape import Kind
from arena.feeds.files.times import fits

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


def recognise(shape: Shape, source: Source) -> tuple[Layout, str | None] | None:
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
        Kind.BARS if bars else Kind.TRADES,
        (0,),
        price,
        volume=5 if bars and len(price) == 1 and shape.width > 5 else None,
        flag=suspicious,
        scale=1e-4 if equity and whole else 1.0,
        step=_STEPS.get(resolution),
        day=name.day,
        zone="America/New_York" if equity else None,
    )

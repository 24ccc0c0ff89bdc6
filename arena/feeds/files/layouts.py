"""Which columns of a table mean what, from a header's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from arena.feeds.files.sniff import MONEY
from arena.feeds.files.tape import Kind
from arena.feeds.files.times import looks_like_time, looks_numeric, stamp

# In order of trust. Event times stand before the time a recorder received them.
_OPEN_TIMES = (
    "opentime", "timeopen", "opentimestamp", "windowstart", "starttime", "timeperiodstart",
    "barstart", "start", "begin", "bucket", "kstarttime",
)  # fmt: skip
_TIMES = (
    "transacttime", "transactiontime", "tradetime", "executiontime", "unix", "unixtime",
    "unixtimestamp", "timestamp", "timestampms", "timestampus", "timestampns", "tsevent", "time",
    "datetime", "dateandtime", "timeutc", "utctime", "timestamputc", "utctimestamp", "datetimeutc",
    "utc", "gmttime", "eventtime", "createdtime", "createdat", "executedat", "epoch", "ts", "date",
    "day", "t", "datum", "localtimestamp", "receivetime", "timereceived", "", "unnamed", "index",
)  # fmt: skip
_END_TIMES = ("closetime", "timeclose", "endtime", "barend", "end", "timeperiodend")
_RECEIVED = ("timestampofreceive", "receivetime", "localtimestamp", "timereceived")
_CLOSES = (
    "close",
    "c",
    "closeprice",
    "closelast",
    "lastclose",
    "last",
    "tradecclose",
    "kclose",
    "schluss",
    "schlusskurs",
)
_OPENS = ("open", "o", "openprice", "kopen")
_PRICES = (
    "price", "p", "lastprice", "tradeprice", "last", "px", "dealprice", "fillprice",
    "executedprice", "exprice", "rate", "mid", "midprice", "markprice", "value", "avgprice", "kurs",
)  # fmt: skip
_BIDS = ("bid", "bidprice", "bestbid", "bestbidprice", "bidpx", "b", "bidclose")
_ASKS = ("ask", "askprice", "bestask", "bestaskprice", "askpx", "offer", "a", "askclose")
_SYMBOLS = (
    "symbol", "ticker", "instrument", "instrumentid", "instid", "instrumentname", "product",
    "productid", "pair", "currencypair", "tradingpair", "sym", "s", "code", "ric", "security",
    "contract", "asset", "coin", "market", "name", "id",
)  # fmt: skip
_IDS = ("tradeid", "aggtradeid", "aggregatetradeid", "id", "tid", "trdmatchid")
_VOLUMES = ("volume", "vol", "v", "tickvolume", "tickvol", "volumefrom", "basevolume", "amount")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns of a table to read, by place.

    Two `time` columns are a date and a clock, two `price` columns bid and ask, whose middle
    counts. `id` holds the trades' own ids. `ends` tells bars that are labelled at their end. `day`
    is added to clock times, and `zone` is where all of them were read off. `form` is how dates are
    written that are not ISO, and `clock` how many digits a clock without colons has.
    """

    kind: Kind
    time: tuple[int, ...]
    price: tuple[int, ...]
    symbol: int | None = None
    volume: int | None = None
    flag: int | None = None
    ends: bool = False
    scale: float = 1.0
    step: float | None = None
    day: float | None = None
    zone: str | None = None
    form: str = ""
    clock: int = 6
    note: str = ""
    id: int | None = None

    def used(self) -> set[int]:
        """Return the places of all columns in use."""
        optional = (self.symbol, self.volume, self.flag, self.id)
        return {*self.time, *self.price, *(place for place in optional if place is not None)}

    def has_deals(self) -> bool:
        """Tell whether each row is a trade of its own, of which two should not be the same."""
        return self.kind is Kind.TRADES and len(self.price) == 1


class Header:
    """A header's names without case, blanks and signs, beside its sampled rows."""

    def __init__(self, names: list[str], sample: list[list[str]]) -> None:
        self.names = names
        self.keys = [re.sub(r"[^a-z]+", "", name.lower()) for name in names]
        self.sample = sample

    def cells(self, place: int) -> list[str]:
        """Return the sampled cells of a column."""
        return [row[place] if place < len(row) else "" for row in self.sample]

    def find(self, keys: Iterable[str]) -> list[int]:
        """Return the places of the known keys, in the order of trust."""
        return [place for key in keys for place, own in enumerate(self.keys) if own == key]

    def first(self, keys: Iterable[str]) -> int | None:
        """Return the most trusted column of numbers among the keys."""
        return next((place for place in self.find(keys) if self.numeric(place)), None)

    def numeric(self, place: int) -> bool:
        """Tell whether most cells of the column are numbers."""
        filled = [cell for cell in self.cells(place) if cell]
        return sum(map(_is_number, filled)) * 2 > len(filled)

    def time(self, keys: Iterable[str]) -> int | None:
        """Return the most trusted column of times among the keys."""
        found = self.find(keys)
        return next((place for place in found if looks_like_time(self.cells(place))), None)

    def is_plainly_time(self, place: int) -> bool:
        """Tell whether a column of any name holds dates, or epochs of our days in order."""
        cells = [cell for cell in self.cells(place) if cell]
        if not looks_numeric(cells):
            return bool(cells) and not all(map(_is_number, cells)) and looks_like_time(cells)
        times = [stamp(cell) or 0.0 for cell in cells]
        return min(times) > 9e8 and max(times) < 4.2e9 and times in (sorted(times), sorted(times, reverse=True))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return bool(MONEY.fullmatch(cell))
    return True


def from_header(names: list[str], sample: list[list[str]]) -> Layout | None:
    """Return the layout that a header speaks of, or None."""
    header = Header(names, sample)
    if sorted(header.keys) == ["price", "symbol", "time"]:
        place = header.keys.index
        return Layout(Kind.NATIVE, (place("time"),), (place("price"),), place("symbol"))
    layout = _bars(header) or _ticks(header) or _quotes(header)
    return layout and _with_note(layout, header)


def _close(header: Header) -> int | None:
    exact = header.first(_CLOSES)
    if exact is not None:
        return exact
    begun = [
        place
        for place, key in enumerate(header.keys)
        if key.startswith("close") and key not in _END_TIMES and header.numeric(place)
    ]
    if not begun and header.find(_OPENS) and header.find(("high",)):
        return header.first(("price",))
    return begun[0] if begun else None


def _bars(header: Header) -> Layout | None:
    close = _close(header)
    opened = header.first(_OPENS) is not None or any(k.startswith("open") for k in header.keys)
    if close is None or not (opened or header.keys[close].startswith(("close", "schluss"))):
        return None
    volumes = header.find(_VOLUMES) or [place for place, key in enumerate(header.keys) if key.startswith("vol")]
    volume = next((place for place in volumes if header.numeric(place)), None)
    symbol = _symbol(header)
    start = header.time(_OPEN_TIMES)
    end = header.time(_END_TIMES) if start is None and header.time(_TIMES) is None else None
    time = (end,) if end is not None else _when(header, start)
    if time is None:
        return None
    return Layout(Kind.BARS, time, (close,), symbol, volume, ends=end is not None)


def _when(header: Header, start: int | None = None) -> tuple[int, ...] | None:
    """Return the time column, or the two columns of a date and a clock."""
    if start is not None:
        return (start,)
    clocks = header.find(("time", "clock", "hour", "zeit", "uhrzeit"))
    clock = next((place for place in clocks if _is_clock(header.cells(place))), None)
    date = next((p for p in header.find(("date", "day", "dtyyyymmdd", "datum")) if p != clock), None)
    if clock is not None and date is not None:
        return (date, clock)
    found = header.time(_TIMES)
    if found is None:
        found = _time_in_id(header)
    if found is None:
        found = next((place for place in range(len(header.names)) if header.is_plainly_time(place)), None)
    return None if found is None else (found,)


def _is_clock(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell]
    clock = re.compile(r"\d\d?:\d\d(:\d\d(\.\d+)?)?|\d{4}|\d{6}")
    return sum(bool(clock.fullmatch(cell)) for cell in filled) * 2 > len(filled)


def _time_in_id(header: Header) -> int | None:
    """Find trade ids that are times in microseconds, as Mt.Gox had them."""
    for place in header.find(("id", "tid", "tradeid")):
        if all(re.fullmatch(r"1\d{15}", cell) for cell in header.cells(place)):
            return place
    return None


def _symbol(header: Header) -> int | None:
    for place in header.find(_SYMBOLS):
        cells = [cell for cell in header.cells(place) if cell]
        if cells and not looks_numeric(cells) and not _is_number(cells[0]):
            return place
    return None


def _ticks(header: Header) -> Layout | None:
    price = header.first(_PRICES)
    if price is None:
        named = (place for place, key in enumerate(header.keys) if key.startswith("price"))
        price = next(filter(header.numeric, named), None)
    if price is None:
        price = _only_number(header)
    # A table with a stream column is a recording of frames, whose time is when they came in.
    received = header.time(_RECEIVED) if header.find(("stream", "streamname")) else None
    time = _when(header, received)
    if price is None or time is None:
        return None
    symbol = _symbol(header)
    columns = {*time, price, symbol} - {None}
    kind = Kind.NATIVE if len(columns) == len(header.names) else Kind.TRADES
    return Layout(kind, time, (price,), symbol, id=_id(header, symbol) if kind is Kind.TRADES else None)


def _id(header: Header, symbol: int | None) -> int | None:
    """Return the column of trade ids; what has one value in most rows is the id of something else."""
    for place in header.find(_IDS):
        cells = header.cells(place)
        if place != symbol and len(set(cells)) * 2 > len(cells):
            return place
    return None


def _only_number(header: Header) -> int | None:
    """Return the one column of numbers that are no times, if there is but one beside no quote."""
    if header.find(_BIDS) or header.find(_ASKS):
        return None
    told = {*(_when(header) or ()), *header.find((*_VOLUMES, *_SYMBOLS))}
    numbers = [place for place in range(len(header.names)) if place not in told and header.numeric(place)]
    return numbers[0] if len(numbers) == 1 else None


def _quotes(header: Header) -> Layout | None:
    bid, ask, time = header.first(_BIDS), header.first(_ASKS), _when(header)
    if bid is None or ask is None or time is None:
        return None
    return Layout(Kind.TRADES, time, (bid, ask), _symbol(header))


def _with_note(layout: Layout, header: Header) -> Layout:
    """Say in words which columns were taken."""

    def spoken(places: Iterable[int]) -> str:
        names = (header.names[place] or f"column {place + 1}" for place in places)
        return " and ".join(f"'{name}'" for name in names)

    middle = "the middle of " if len(layout.price) == 2 else ""
    symbol = "" if layout.symbol is None else f", symbol from {spoken([layout.symbol])}"
    note = f"Time was taken from {spoken(layout.time)}, price from {middle}{spoken(layout.price)}"
    return replace(layout, note=f"{note}{symbol}.")

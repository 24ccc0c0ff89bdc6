"""Which columns of a table mean what: from a header's words, checked against the cells, or as told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from arena.errors import MarketDataError
from arena.feeds.files.naming import clean
from arena.feeds.files.numbers import Format, is_number
from arena.feeds.files.report import RowKind
from arena.feeds.files.sniff import LEVEL
from arena.feeds.files.times import (
    Spelling,
    clock_kind,
    looks_like_time,
    looks_numeric,
    spelling_of,
    stamp,
)
from arena.feeds.files.words import (
    ASK_CLOSES,
    ASKS,
    BID_CLOSES,
    BIDS,
    BOOK,
    CLOCKS,
    CLOSES,
    CODES,
    DATES,
    END_TIMES,
    HIGHS,
    IDS,
    LOWS,
    OPEN_TIMES,
    OPENS,
    PRICES,
    RECEIVED,
    SAYS_MORE,
    SYMBOLS,
    TIMES,
    VOLUMES,
)

_NO_PRICE = re.compile(
    r"(?i)time|date|stamp|closed|count|shares|traded|contracts|lots|num(?:ber)?_|trades|vol|turnover|return|\bret\b|_ret\b|change|chg|pct|perc|%|"
    r"qty|quantity|size|amount|interest|\bcap\b|market.?cap|ratio|log|diff|delta|spread|fee|funding|weight|score|flag|"
    r"signal|label|target|rank|\bpe\b|dividend|split|std|var\b|rsi|macd|yield"
)
_ROLE = r"adj(?:usted)?[ _.]?close|close(?: price)?|closing price|open|high|low|price|last|mid|volume|vol"
_BESIDE = re.compile(
    rf"(?is)\('(?P<a>[^']*)', '(?P<b>[^']*)'\)|(?P<role>{_ROLE}){LEVEL}(?P<symbol>.+)|"
    rf"(?P<before>{_ROLE})[_. /|-]+\(?(?P<behind>.+?)\)?|(?P<front>.+?)[_. /|-]+\(?(?P<tail>{_ROLE})\)?"
)
_TICKER = re.compile(r"(?=.*[A-Z]|\d{4})\^?[A-Z0-9]{1,12}(?:[.=/-][A-Z0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns of a table to read, by place, and how.

    Two `time` columns are a date and a clock, two `price` columns bid and ask, whose middle counts;
    `wide` has a column of prices for each symbol instead. `candle` are open, high, low and close, where
    all of them are known. `id` holds the trades' own ids. `ends` tells bars that are labelled at their
    end. `day` is added to clock times, and `zone` is where times that say none were read off. `own` is
    the symbol that the header names.
    """

    kind: RowKind
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
    note: str = ""
    id: int | None = None
    candle: tuple[int, ...] = ()
    wide: tuple[tuple[str, int], ...] = ()
    own: str | None = None
    spelling: Spelling = field(default_factory=Spelling)
    numbers: Format = field(default_factory=Format)
    told: bool = False
    positional: bool = False
    still: bool = False  # prices stand at their own time, whatever they are

    def used(self) -> set[int]:
        """Return the places of all columns in use."""
        optional = (self.symbol, self.volume, self.flag, self.id)
        wide = (place for _, place in self.wide)
        return {*self.time, *self.price, *self.candle, *wide, *(place for place in optional if place is not None)}

    def has_deals(self) -> bool:
        """Tell whether each row is a trade of its own, of which two should not be the same."""
        return self.kind is RowKind.TRADES and len(self.price) == 1


class Header:
    """A header's names without case, blanks and signs, beside its sampled rows."""

    def __init__(self, names: Sequence[str], sample: list[list[str]], label: str = "") -> None:
        self.names = list(names)
        self.keys = [re.sub(r"[^a-z]+", "", name.lower()) for name in names]
        self.sample = sample
        self.label = label

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
        return sum(map(is_number, filled)) * 2 > len(filled)

    def time(self, keys: Iterable[str]) -> int | None:
        """Return the most trusted column of times among the keys."""
        found = self.find(keys)
        return next((place for place in found if looks_like_time(self.cells(place))), None)

    def is_plainly_time(self, place: int) -> bool:
        """Tell whether a column of any name holds dates, or epochs of our days in order."""
        cells = [cell for cell in self.cells(place) if cell]
        if not looks_numeric(cells):
            return bool(cells) and not all(map(is_number, cells)) and looks_like_time(cells)
        times = [stamp(cell) or 0.0 for cell in cells]
        return min(times) > 9e8 and max(times) < 4.2e9 and times in (sorted(times), sorted(times, reverse=True))

    def could_be_price(self, place: int) -> bool:
        """Tell whether a column of numbers has a name that is not that of something else."""
        return self.numeric(place) and not _NO_PRICE.search(self.names[place])

    def spoken(self, places: Iterable[int]) -> str:
        """Return the names of columns, quoted."""
        return ", ".join(repr(clean(self.names[place]) or f"column {place + 1}") for place in places)

    def shown(self, places: Iterable[int]) -> str:
        """Return the names of columns, each with its first cell."""
        return ", ".join(
            f"{clean(self.names[place]) or f'column {place + 1}'!r} ({next(filter(None, self.cells(place)), '')!r})"
            for place in places
        )

    def question(self, what: str, places: Iterable[int], flag: str) -> MarketDataError:
        """Return the question which of several columns is meant."""
        return MarketDataError(
            f"{self.label} has several columns that could be {what}: {self.shown(places)}; choose with {flag}.",
            usage=True,
        )


def from_header(names: Sequence[str], sample: list[list[str]], label: str) -> Layout | None:
    """Return the layout that a header speaks of, or None; MarketDataError where it says two things."""
    header = Header(names, sample, label)
    if sorted(header.keys) == ["price", "symbol", "time"]:
        place = header.keys.index
        return Layout(RowKind.NATIVE, (place("time"),), (place("price"),), place("symbol"))
    if found := _of_symbols(header):
        return found
    _refuse_book(header)
    layout = _bars(header) or _ticks(header) or _quotes(header) or _of_tickers(header)
    return layout and with_note(_scaled(layout, header), header)


# Several symbols side by side


def _beside(header: Header) -> dict[str, dict[str, int]]:
    """Return by role which columns are those of which symbol, as in `Close_AAPL`, `price_btc`, `AAPL.Close`."""
    found: dict[str, dict[str, int]] = {}
    for place, name in enumerate(header.names):
        match = _BESIDE.fullmatch(name.strip())
        if match is None:
            continue
        part = match.groupdict()
        role, symbol = part["role"] or part["before"] or part["tail"], part["symbol"] or part["behind"] or part["front"]
        if part["a"] is not None:
            role, symbol = (
                (part["a"], part["b"]) if re.fullmatch(rf"(?i){_ROLE}", part["a"]) else (part["b"], part["a"])
            )
        levelled = part["symbol"] is not None or part["a"] is not None
        words = [word for word in re.split(r"[\W_]+", symbol.lower()) if word]
        if not levelled and (
            not words
            or all(word in SAYS_MORE or re.fullmatch(r"\d{1,3}", word) for word in words)
            or _NO_PRICE.search(symbol)
        ):
            continue
        if re.fullmatch(rf"(?i){_ROLE}", role) and header.numeric(place):
            role = "close" if role.lower().startswith(("close", "closing")) else re.sub(r"[^a-z]", "", role.lower())
            same = found.setdefault(role, {})
            if symbol in same:
                raise header.question(f"the {role} of {symbol}", (same[symbol], place), "--columns price=NAME")
            same[symbol] = place
    return found


def _of_symbols(header: Header) -> Layout | None:
    """Return the layout of a table whose header names a symbol in each column of prices."""
    found = _beside(header)
    role = next(
        (role for role in ("close", "last", "price", "mid", "adjclose", "adjustedclose") if role in found), None
    )
    if role is None:
        return None
    plain = [place for place in header.find((*CLOSES, *PRICES)) if header.numeric(place)]
    symbols = found[role]
    if len(symbols) == 1:
        [symbol] = symbols
        if plain:
            return None
        names = list(header.names)
        for key, by_symbol in found.items():
            if symbol in by_symbol:
                names[by_symbol[symbol]] = key
        single = Header(names, header.sample, header.label)
        layout = _bars(single) or _ticks(single)
        return layout and with_note(replace(layout, own=clean(symbol)), header)
    time = _when(header)
    if time is None:
        return None
    if (named := _symbol(header)) is not None:
        raise header.question(
            "the symbol and its price", (named, *symbols.values()), "--columns symbol=NAME,price=NAME"
        )
    kind = RowKind.BARS if role == "close" or "open" in found else RowKind.NATIVE
    return with_note(Layout(kind, time, (), wide=tuple((clean(s), p) for s, p in symbols.items())), header)


def _of_tickers(header: Header) -> Layout | None:
    """Return the layout of a table whose columns are called like symbols: `Date,AAPL,MSFT`."""
    time = _when(header)
    if time is None or header.find((*BIDS, *ASKS)):
        return None
    others = [place for place in range(len(header.names)) if place not in time and header.numeric(place)]
    tickers = [place for place in others if _TICKER.fullmatch(header.names[place]) and header.could_be_price(place)]
    words = {*VOLUMES, *OPENS, *HIGHS, *LOWS, *IDS, *SYMBOLS}
    if len(tickers) < 2 or len(tickers) < len(others) or any(header.keys[place] in words for place in tickers):
        return None
    return Layout(RowKind.NATIVE, time, (), wide=tuple((clean(header.names[place]), place) for place in tickers))


# One price a row


def _refuse_book(header: Header) -> None:
    """Refuse changes of an order book, which are neither trades nor prices."""
    marks = header.find(BOOK)
    side = header.find(("side", "direction", "type"))
    if not marks or header.first(PRICES) is None or not (side or header.find(("orderid", "issnapshot"))):
        return
    deals = {"t", "trade", "trades", "fill", "f", "match", "executed", "buy", "sell", "market", "limit", ""}
    cells = {
        cell.lower()
        for place in marks
        if header.keys[place] in {"action", "eventtype", "event"}
        for cell in header.cells(place)
    }
    if header.first(BIDS) is not None and header.first(ASKS) is not None:
        return
    if (cells and cells <= deals) or not (
        {header.keys[place] for place in marks} - {"orderid", "ordertype", "action", "eventtype", "event"} or cells
    ):
        return
    raise MarketDataError(
        f"{header.label} holds changes of an order book ({header.shown([*side[:1], *marks[:2]])}), not trades or "
        "prices; give trades, quotes or bars."
    )


def _close(header: Header) -> int | None:
    exact = [place for place in header.find(CLOSES) if header.numeric(place)]
    if exact:
        same = [place for place in exact if header.keys[place] == header.keys[exact[0]]]
        if len(same) > 1:
            raise header.question("the close", same, "--columns price=NAME")
        return exact[0]
    begun = [
        place
        for place, key in enumerate(header.keys)
        if key.startswith("close") and key not in END_TIMES and header.could_be_price(place)
    ]
    if not begun and header.find(OPENS) and header.find(HIGHS):
        return header.first(("price",))
    if len(begun) > 1:
        raise header.question("the close", begun, "--columns price=NAME")
    return begun[0] if begun else None


def _bars(header: Header) -> Layout | None:
    bid, ask = header.first(BID_CLOSES), header.first(ASK_CLOSES)
    if bid is not None and ask is not None:
        prices: tuple[int, ...] = (bid, ask)
    else:
        close = _close(header)
        opened = header.first(OPENS) is not None or any(
            k.startswith("open") and k not in OPEN_TIMES for k in header.keys
        )
        if close is None or not (
            opened or header.keys[close].startswith(("close", "closing", "schluss", "priceclose", "zuletzt"))
        ):
            return None
        prices = (close,)
    volumes = header.find(VOLUMES) or [place for place, key in enumerate(header.keys) if key.startswith("vol")]
    volume = next((place for place in volumes if header.numeric(place)), None)
    symbol = _symbol(header)
    start = header.time(OPEN_TIMES)
    end = header.time(END_TIMES) if start is None and header.time(TIMES) is None else None
    time = (end,) if end is not None else _when(header, start)
    if time is None:
        return None
    candle = _candle(header, prices[0]) if len(prices) == 1 else ()
    return Layout(RowKind.BARS, time, prices, symbol, volume, ends=end is not None, candle=candle)


def _candle(header: Header, close: int) -> tuple[int, ...]:
    """Return the columns of open, high, low and close, or nothing if one is not known."""
    ending = header.keys[close].removeprefix("close") if header.keys[close].startswith("close") else ""
    places = [
        header.first((word + ending, *keys) if ending else keys)
        for word, keys in (("open", OPENS), ("high", HIGHS), ("low", LOWS))
    ]
    known = [place for place in places if place is not None]
    return (*known, close) if len(known) == 3 else ()


def _when(header: Header, start: int | None = None) -> tuple[int, ...] | None:
    """Return the time column, or the two columns of a date and a clock."""
    if start is not None:
        return (start,)
    date = next((p for p in header.find(DATES) if looks_like_time(header.cells(p)) and _is_bare(header.cells(p))), None)
    if date is not None:
        whole = header.time(key for key in TIMES if key not in DATES)
        clocks = [place for place in header.find(CLOCKS) if place != date]
        clock = next((place for place in clocks if _clock_kind(header, place)), None)
        if clock is not None and (whole in {None, clock} or _is_bare(header.cells(whole or 0))):
            return (date, clock)
    found = header.time(TIMES)
    if found is None:
        found = _time_in_id(header)
    if found is None:
        found = next((place for place in range(len(header.names)) if header.is_plainly_time(place)), None)
    return None if found is None else (found,)


def _is_bare(cells: list[str]) -> bool:
    """Tell whether all cells are dates without a clock."""
    spelling = spelling_of(cells, lambda: cells)
    return spelling.unit is None and spelling.bare


def _clock_kind(header: Header, place: int) -> str:
    key = header.keys[place]
    kind = clock_kind(header.cells(place), hour=key.startswith("h") and key not in {"hhmm", "hhmmss"})
    return "" if key == "minute" and kind == "hour" else kind


def _time_in_id(header: Header) -> int | None:
    """Find trade ids that are times in microseconds, as Mt.Gox had them."""
    for place in header.find(("id", "tid", "tradeid")):
        if all(re.fullmatch(r"1\d{15}", cell) for cell in header.cells(place)):
            return place
    return None


def _symbol(header: Header) -> int | None:
    for place in header.find(SYMBOLS):
        cells = [cell for cell in header.cells(place) if cell]
        if not cells:
            continue
        words = not looks_numeric(cells) and not is_number(cells[0])
        if words or (header.keys[place] in CODES and all(re.fullmatch(r"\w{1,12}", cell) for cell in cells)):
            return place
    return None


def _ticks(header: Header) -> Layout | None:
    price = header.first(PRICES)
    if price is not None:
        same = [place for place in header.find((header.keys[price],)) if header.numeric(place)]
        if len(same) > 1:
            raise header.question("the price", same, "--columns price=NAME")
    bid, ask = header.first(BIDS), header.first(ASKS)
    if price is not None and bid is not None and ask is not None and _is_sparse(header, price, bid, ask):
        price = None
    elif price is None and bid is None:
        named = [
            place for place, key in enumerate(header.keys) if key.startswith("price") and header.could_be_price(place)
        ]
        if len(named) > 1:
            raise header.question("the price", named, "--columns price=NAME")
        price = named[0] if named else _only_number(header)
    # A table with a stream column is a recording of frames, whose time is when they came in.
    received = header.time(RECEIVED) if header.find(("stream", "streamname")) else None
    time = _when(header, received)
    if price is None or time is None:
        return None
    symbol = _symbol(header)
    columns = {*time, price, symbol} - {None}
    kind = RowKind.NATIVE if len(columns) == len(header.names) else RowKind.TRADES
    own = header.names[price] if symbol is None and _TICKER.fullmatch(header.names[price]) else None
    if own is not None and header.keys[price] in {*PRICES, *CLOSES}:
        own = None
    return Layout(kind, time, (price,), symbol, id=_id(header, symbol) if kind is RowKind.TRADES else None, own=own)


def _is_sparse(header: Header, price: int, bid: int, ask: int) -> bool:
    """Tell whether quotes have more to say than last prices, which stand at few rows, or changes of a book."""
    filled = [sum(cell not in {"", "0", "0.0"} for cell in header.cells(place)) for place in (price, bid, ask)]
    if filled[0] * 2 < max(filled[1:]):
        return True
    actions = {cell.lower() for place in header.find(("action",)) for cell in header.cells(place)}
    return bool(actions - {"t", "trade", "", "f", "fill"})


def _id(header: Header, symbol: int | None) -> int | None:
    """Return the column of trade ids; what has one value in most rows is the id of something else."""
    for place in header.find(IDS):
        cells = header.cells(place)
        if place != symbol and len(set(cells)) * 2 > len(cells):
            return place
    return None


def _only_number(header: Header) -> int | None:
    """Return the one column of numbers that could be a price, if there is but one beside no quote."""
    if header.find(BIDS) or header.find(ASKS):
        return None
    told = {*(_when(header) or ()), *header.find((*VOLUMES, *SYMBOLS))}
    numbers = [place for place in range(len(header.names)) if place not in told and header.could_be_price(place)]
    return numbers[0] if len(numbers) == 1 else None


def _quotes(header: Header) -> Layout | None:
    bid, ask, time = header.first(BIDS), header.first(ASKS), _when(header)
    if bid is None or ask is None or time is None:
        return None
    return Layout(RowKind.TRADES, time, (bid, ask), _symbol(header))


def _scaled(layout: Layout, header: Header) -> Layout:
    """Return the layout with the scale of Databento's raw prices, whole numbers of 1e-9."""
    if not header.find(("rtype",)) or not header.find(("publisherid",)):
        return layout
    cells = [cell for place in layout.price for cell in header.cells(place) if cell]
    raw = (
        cells and all(re.fullmatch(r"-?\d+", cell) for cell in cells) and any(abs(int(cell)) >= 10**6 for cell in cells)
    )
    return replace(layout, scale=1e-9) if raw else layout


def with_note(layout: Layout, header: Header) -> Layout:
    """Say in words which columns were taken."""

    def spoken(places: Iterable[int]) -> str:
        names = (clean(header.names[place]) or f"column {place + 1}" for place in places)
        return " and ".join(f"'{name}'" for name in names)

    if layout.wide:
        columns = ", ".join(f"{symbol} from {spoken([place])}" for symbol, place in layout.wide[:10])
        return replace(
            layout,
            note=f"Time was taken from {spoken(layout.time)}, a price for each of {len(layout.wide)} symbols: "
            f"{columns}.",
        )
    middle = "the middle of " if len(layout.price) == 2 else ""
    symbol = "" if layout.symbol is None else f", symbol from {spoken([layout.symbol])}"
    note = f"Time was taken from {spoken(layout.time)}, price from {middle}{spoken(layout.price)}"
    return replace(layout, note=f"{note}{symbol}.")

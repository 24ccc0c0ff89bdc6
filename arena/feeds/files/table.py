"""Tables to rows: only the columns that a layout names are read, typed, and every cell is held against the layout."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from arena.errors import MarketDataError
from arena.feeds.files import numbers as spelt
from arena.feeds.files.bars import are_candles
from arena.feeds.files.columns import Layout
from arena.feeds.files.duplicates import Ids, RepeatedLines
from arena.feeds.files.memory import require_room
from arena.feeds.files.naming import clean
from arena.feeds.files.report import Bools, Codes, Evidence, Floats, Report, RowKind, Rows
from arena.feeds.files.sniff import Shape
from arena.feeds.files.sources import Source
from arena.feeds.files.times import clock_seconds, from_text, seconds, to_utc

BLOCK = 4 << 20  # bytes
_LONGEST = 16 << 20  # bytes of one line


def line_end(head: bytes) -> bytes:
    """Return what ends the lines of a text; old Macs had carriage returns alone."""
    return b"\n" if b"\n" in head else b"\r"


def blocks_of(source: Source, shape: Shape, size: int) -> Iterator[bytes]:
    """Yield the lines of data, without the header, about `size` bytes at a time."""
    skip, end = shape.skip, line_end(source.head)
    for block in _whole_lines(source, size):
        data = block
        while skip and data:
            data = data[data.index(end) + 1 :]
            skip -= 1
        if data:
            yield _squeezed(data) if shape.separator == " " else data


def _squeezed(block: bytes) -> bytes:
    """Return lines whose cells are parted by one blank; some writers line them up with many."""
    return re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb" +", b" ", block))


def lines_of(source: Source, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the lines of a text file."""
    for block in _whole_lines(source, size):
        yield from block.splitlines()


def _whole_lines(source: Source, size: int) -> Iterator[bytes]:
    end = line_end(source.head)
    stream = source.open()
    rest = b""
    try:
        while piece := stream.read(size):
            cut = piece.rfind(end) + 1
            if cut:
                yield rest + piece[:cut]
                rest = piece[cut:]
            else:
                rest += piece
                if len(rest) > _LONGEST:
                    raise MarketDataError(
                        f"{source.label} has a line of more than {_LONGEST >> 20} MiB; it is no table."
                    )
    finally:
        stream.close()
    if rest:
        yield rest + end


def mended(block: bytes, report: Report) -> bytes:
    """Return a block without blank lines, and without lines whose quote would swallow the next ones."""
    lines = [line for line in block.splitlines(keepends=True) if line.strip()]
    whole = [line for line in lines if line.count(b'"') % 2 == 0]
    report.count("unparsable", len(lines) - len(whole))
    return b"".join(whole)


_UNDEFINED = 9.2e18  # Databento writes the greatest integer where there is no price
_SHOWN_WIDTH = 200  # characters of a row


def csv_rows(source: Source, shape: Shape, layout: Layout, report: Report, size: int = BLOCK) -> Iterator[Rows]:
    """Yield a text table's rows, block by block."""
    require_room(source.label)
    reading = Reading(layout, report)
    plain = _plain_columns(shape, layout)
    for block in blocks_of(source, shape, size):
        frame, text = _frame(block, shape, layout, plain, report)
        if not frame.height:
            continue
        _note_ends(text, report.evidence)
        yield reading.rows(frame, lambda text=text, rows=frame.height: _lines(text, rows))  # type: ignore[misc]


def _plain_columns(shape: Shape, layout: Layout) -> set[int]:
    """Return the places of columns whose numbers need no care, as far as the sample tells."""
    numbers = _number_columns(layout)
    if layout.numbers.comma:
        return set()
    raw = {place: [row[place] if place < len(row) else "" for row in shape.raw] for place in numbers}
    return {place for place, cells in raw.items() if all(not cell or spelt.is_plain(cell) for cell in cells)}


def _number_columns(layout: Layout) -> set[int]:
    wide = (place for _, place in layout.wide)
    found = {*layout.price, *layout.candle, *wide, layout.volume, layout.flag} - {None}
    if layout.spelling.unit is not None:
        found.add(layout.time[0])
    return {place for place in found if place is not None}


def _frame(block: bytes, shape: Shape, layout: Layout, plain: set[int], report: Report) -> tuple[pl.DataFrame, bytes]:
    """Return the columns in use and the text they are from; what cannot be read typed is read as text."""
    numbers = _number_columns(layout)
    lines = block.count(line_end(block))
    frame = _read(block, shape, layout, plain)
    if frame is None or frame.height != lines:
        block = mended(block, report)
        frame = _read(block, shape, layout, plain) if block else pl.DataFrame()
        if frame is None:
            frame = _read_by_hand(block, shape, layout)
    if not frame.height:
        return frame, block
    holes = {
        place
        for place in numbers & plain
        if frame[_name(place)].null_count() and frame[_name(place)].dtype != pl.String
    }
    if holes:
        texts = _read(block, shape, layout, set()) if frame.height else None
        if texts is not None and texts.height == frame.height:
            frame = frame.with_columns(texts[_name(place)] for place in holes)
    columns = [_number(frame[_name(place)], place, layout, report.evidence) for place in numbers]
    return frame.with_columns(columns), block


def _number(cells: pl.Series, place: int, layout: Layout, evidence: Evidence) -> pl.Series:
    """Return a column as numbers, and take note of what its cells say about how they are read."""
    if cells.dtype != pl.String:
        if not layout.numbers.proved and not evidence.point:
            evidence.point = bool((cells.fill_null(0.0) % 1 != 0).any())
        return cells
    found = spelt.parsed(cells, layout.numbers).alias(cells.name)
    if place in layout.time:
        lost = cells.filter(found.is_null() & (cells.str.strip_chars() != ""))
        evidence.contradict("time", len(lost), lost.head(3).to_list())
    elif place != layout.volume:
        _hold(cells, layout.numbers, evidence)
    return found


def _hold(cells: pl.Series, form: spelt.Format, evidence: Evidence) -> None:
    """Take note of numbers that are written otherwise, or that could be read in two ways."""
    other = spelt.of_other_format(cells, form)
    evidence.contradict("numbers", len(other), other.head(3).to_list())
    if not form.proved:
        open_cells = spelt.unsure(cells)
        evidence.contradict("unsure", len(open_cells), open_cells.head(3).to_list())
        evidence.point = evidence.point or spelt.shows_point(cells)


def _name(place: int) -> str:
    return f"column_{place}"


def _read(block: bytes, shape: Shape, layout: Layout, plain: set[int]) -> pl.DataFrame | None:
    """Return the columns in use, plain ones as numbers, the others as text; None where a line spoils the block."""
    types: dict[str, type[pl.DataType]] = {
        _name(place): pl.Float64 if place in plain else pl.String for place in range(shape.width)
    }
    try:
        return pl.read_csv(
            block,
            has_header=False,
            columns=[_name(place) for place in sorted(layout.used())],
            schema=types,
            separator=shape.separator,
            quote_char='"' if b'"' in block else None,
            ignore_errors=True,
            missing_columns="insert",
            extra_columns="ignore",
            encoding="utf8" if block.isascii() else "utf8-lossy",
            eol_char=line_end(block).decode(),
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None


def _read_by_hand(block: bytes, shape: Shape, layout: Layout) -> pl.DataFrame:
    """Cut lines one by one, where one that is malformed would spoil all of them."""
    rows = []
    for line in block.decode("utf-8", errors="replace").splitlines():
        try:
            rows.append(next(csv.reader([line], delimiter=shape.separator), []))
        except csv.Error:
            rows.append([])
    return pl.DataFrame(
        {_name(p): [row[p] if p < len(row) else None for row in rows] for p in sorted(layout.used())},
        schema_overrides={_name(place): pl.String for place in layout.used()},
    )


def _lines(block: bytes, rows: int) -> pl.Series | None:
    """Return the lines of a block, None where a line is not a row."""
    text = block.decode("utf-8", errors="replace")
    lines = pl.Series([text]).str.split(line_end(block).decode()).explode()
    lines = lines.head(len(lines) - 1) if text.endswith(("\n", "\r")) else lines
    return lines if len(lines) == rows else None


def _note_ends(block: bytes, evidence: Evidence) -> None:
    """Keep the first and the last row as they stand in the file."""
    end = line_end(block)
    if not evidence.first_row:
        evidence.first_row = clean_row(block[: _SHOWN_WIDTH * 4].split(end, 1)[0])
    evidence.last_row = clean_row(block[-_SHOWN_WIDTH * 4 :].rstrip(b"\r\n").rsplit(end, 1)[-1])


def clean_row(row: bytes) -> str:
    """Return a line as it may be shown."""
    text = row.decode("utf-8", errors="replace").strip().replace("\t", " ")[:_SHOWN_WIDTH]
    return "".join(clean(sign) for sign in text)


class Reading:
    """Makes rows out of frames, one after the other, whose columns are called by their place.

    Sides of quotes that are empty are carried on; trades that look like one before them are marked.
    """

    def __init__(self, layout: Layout, report: Report) -> None:
        self._layout = layout
        self._report = report
        self._ids = Ids()
        self._lines = RepeatedLines()
        self._sides: dict[str, tuple[float, float]] = {}

    def rows(self, frame: pl.DataFrame, lines: Callable[[], pl.Series | None] | None = None) -> Rows:
        """Return the rows of the next frame; `lines` returns its lines, by which trades without ids are compared."""
        layout, report = self._layout, self._report
        times = self._times(frame)
        report.evidence.rows += frame.height
        if layout.wide:
            return self._wide(frame, times)
        if layout.flag is not None:
            report.count("suspicious", int((_floats(frame[_name(layout.flag)]) == 1).sum()))
        sides = [frame[_name(place)].cast(pl.Float64, strict=False) for place in layout.price]
        symbols, codes = _symbols(frame, layout)
        volumes = None if layout.volume is None else _floats(frame[_name(layout.volume)])
        broken = _nulls(sides)
        prices = [self._scaled(_floats(side)) for side in sides]
        self._compare(frame, prices)
        if len(prices) == 1:
            found = Rows(times, prices[0], broken, symbols, codes, volumes)
            report.evidence.not_positive += int((prices[0] <= 0).sum())
        else:
            found = self._middle(times, prices, sides, (symbols, codes))
        if layout.has_deals():
            found.again = self._again(frame, found, lines)
        return found

    def _scaled(self, prices: Floats) -> Floats:
        scale = self._layout.scale
        if scale == 1.0:
            return prices
        # Dividing by a whole number rounds once, as the decimal price itself would.
        return np.where(np.abs(prices) > _UNDEFINED, np.nan, prices / round(1 / scale))

    def _again(self, frame: pl.DataFrame, found: Rows, lines: Callable[[], pl.Series | None] | None) -> Bools | None:
        layout = self._layout
        if layout.id is not None:
            symbols = None if layout.symbol is None else frame[_name(layout.symbol)].cast(pl.String)
            return self._ids.mark(frame[_name(layout.id)].cast(pl.String), symbols)
        return None if lines is None else self._lines.mark(found.times, lines)

    def _compare(self, frame: pl.DataFrame, prices: list[Floats]) -> None:
        """Hold candles and quotes against what they must be."""
        evidence = self._report.evidence
        if self._layout.candle:
            four = np.column_stack([_floats(frame[_name(place)]) for place in self._layout.candle])
            whole = np.isfinite(four).all(axis=1) & (four > 0).all(axis=1)
            odd = whole & ~are_candles(*four.T)
            evidence.candles += int(whole.sum())
            if odd.any():
                names = ("open", "high", "low", "close")
                rows = four[odd][:200]
                shown = [
                    " ".join(f"{name} {cell:g}" for name, cell in zip(names, row, strict=True)) for row in rows[:3]
                ]
                evidence.contradict("candle", int(odd.sum()), shown)
                evidence.odd_candles += rows.tolist()[: 200 - len(evidence.odd_candles)]
        if len(prices) == 2:
            both = (prices[0] > 0) & (prices[1] > 0)
            crossed = both & (prices[0] > prices[1])
            evidence.quotes += int(both.sum())
            if crossed.any():
                rows = np.column_stack(prices)[crossed][:3]
                evidence.contradict("quote", int(crossed.sum()), [f"bid {bid:g} ask {ask:g}" for bid, ask in rows])

    def _middle(
        self, times: Floats, prices: list[Floats], cells: list[pl.Series], names: tuple[tuple[str, ...], Codes | None]
    ) -> Rows:
        """Return quotes by their middle; those that have a price on one side only have none."""
        symbols, codes = names
        bids, asks = prices
        empty = [cell.is_null().to_numpy() for cell in cells]
        broken = empty[0] & empty[1]
        if self._layout.kind is RowKind.TRADES and (empty[0] ^ empty[1]).any():
            bids, asks = self._carried(bids, asks, symbols, codes)
        lone = ~broken & ((bids > 0) ^ (asks > 0))
        self._report.count("one_sided", int(lone.sum()))
        found = Rows(times, (bids + asks) / 2, broken if broken.any() else None, symbols, codes)
        return found.take(~lone) if lone.any() else found

    def _carried(
        self, bids: Floats, asks: Floats, symbols: tuple[str, ...], codes: Codes | None
    ) -> tuple[Floats, Floats]:
        """Carry on the sides of quotes that are empty, symbol by symbol."""
        sides = []
        own = codes if codes is not None else np.zeros(len(bids), dtype=np.int64)
        for number, side in enumerate((bids, asks)):
            known = pl.DataFrame({"code": own, "side": pl.Series(side).fill_nan(None)})
            carried = known.select(pl.col("side").forward_fill().over("code")).to_series()
            before = np.array(
                [self._sides.get(name, (np.nan, np.nan))[number] for name in (symbols or ("",))] + [np.nan]
            )
            sides.append(np.where(carried.is_null().to_numpy(), before[own], carried.fill_null(0.0).to_numpy()))
        for code in np.unique(own):
            last = int(np.flatnonzero(own == code)[-1])
            self._sides[(symbols or ("",))[code]] = float(sides[0][last]), float(sides[1][last])
        return sides[0], sides[1]

    def _wide(self, frame: pl.DataFrame, times: Floats) -> Rows:
        """Return a row for each symbol that has a price at a time."""
        wide = sorted(self._layout.wide)
        columns = [frame[_name(place)].cast(pl.Float64, strict=False) for _, place in wide]
        prices = np.column_stack([_floats(column) for column in columns]).ravel()
        there = np.column_stack([column.is_not_null().to_numpy() for column in columns]).ravel()
        codes = np.tile(np.arange(len(wide), dtype=np.int64), len(times))
        self._report.evidence.not_positive += int((prices[there] <= 0).sum())
        symbols = tuple(symbol for symbol, _ in wide)
        found = Rows(np.repeat(times, len(wide)), self._scaled(prices), None, symbols, codes)
        return found.take(there & ~np.isnan(prices))

    def _times(self, frame: pl.DataFrame) -> Floats:
        """Return the times of one column, or of a date and a clock column."""
        layout, spelling, evidence = self._layout, self._layout.spelling, self._report.evidence
        cells = frame[_name(layout.time[0])]
        if len(layout.time) == 2:
            clocks = frame[_name(layout.time[1])]
            days = _moments(cells) if cells.dtype.is_temporal() else from_text(cells.cast(pl.String), spelling.form)
            if clocks.dtype == pl.Time:
                hours = _floats(clocks.cast(pl.Int64)) / 1e9
            else:
                hours = clock_seconds(clocks, spelling.clock)
            times = to_utc(days + hours, layout.zone)
            texts = cells.cast(pl.String).fill_null("") + " " + clocks.cast(pl.String).fill_null("")
        elif cells.dtype.is_temporal():
            zoned = isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone is not None
            times = _moments(cells)
            return times if zoned else to_utc(times, layout.zone)
        elif spelling.unit is not None:
            return self._since_1970(_floats(cells), evidence)
        else:
            texts = cells.cast(pl.String)
            times = from_text(texts, spelling.form, layout.zone)
        lost = np.isnan(times)
        if lost.any():
            some = texts.filter(pl.Series(lost)).drop_nulls()
            some = some.filter(some.str.strip_chars() != "")
            evidence.contradict("time", len(some), some.head(3).to_list())
        return times

    def _since_1970(self, numbers: Floats, evidence: Evidence) -> Floats:
        layout = self._layout
        if layout.day is not None:
            # Milliseconds of one day, as LEAN has them.
            return to_utc(layout.day + numbers / 1e3, layout.zone)
        known = numbers[np.isfinite(numbers)]
        if known.size:
            evidence.low, evidence.high = min(evidence.low, float(known.min())), max(evidence.high, float(known.max()))
        times = seconds(numbers, layout.spelling.unit if layout.spelling.unit is not None else 1.0)
        outside = np.isnan(times) & np.isfinite(numbers)
        if outside.any():
            evidence.outside += int(outside.sum())
            evidence.contradict("time", int(outside.sum()), [f"{number:.0f}" for number in numbers[outside][:3]])
        return times


def _moments(cells: pl.Series) -> Floats:
    moments = cells.cast(pl.Datetime("us")) if cells.dtype == pl.Date else cells
    return _floats(moments.dt.timestamp("us")) / 1e6


def _floats(column: pl.Series) -> Floats:
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count():
        numbers = numbers.fill_null(float("nan"))
    return np.asarray(numbers.to_numpy())


def _nulls(columns: list[pl.Series]) -> Bools | None:
    """Mark the rows where a cell is missing or no number; a NaN is a number here."""
    if not any(column.null_count() for column in columns):
        return None
    return np.asarray(np.logical_or.reduce([column.is_null().to_numpy() for column in columns]))


def _symbols(frame: pl.DataFrame, layout: Layout) -> tuple[tuple[str, ...], Codes | None]:
    """Return the symbols in sorted order, and each row's place among them, -1 where one has none."""
    if layout.symbol is None:
        return (), None
    texts = frame[_name(layout.symbol)].cast(pl.String).str.strip_chars().fill_null("")
    raw = texts.unique().to_list()
    names = {text: clean(text) for text in raw if text}
    symbols = tuple(sorted(set(names.values())))
    places = {name: place for place, name in enumerate(symbols)}
    codes = texts.replace_strict(
        raw, [places[names[text]] if text else -1 for text in raw], return_dtype=pl.Int64
    ).to_numpy()
    if len(symbols) == 1 and codes.min(initial=0) == 0:
        return symbols, None
    return symbols, np.array(codes)

"""Times of all spellings to float Unix seconds, NaN where a cell is no time.

Numbers are seconds, milliseconds, microseconds or nanoseconds, decided for each value, because one
set of Binance files mixes two of them. Text without a zone is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from arena.feeds.files.tape import Floats

if TYPE_CHECKING:
    import polars as pl

# From 1973 on these borders part the units; before it no venue had a socket.
_BORDERS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_ISO = re.compile(
    r"(\d{4})([-/.]?)(\d\d)\2(\d\d)"
    r"(?:[T D](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"( ?(?:Z|z|UTC|GMT|[+-]\d\d:?(?:\d\d)?))?",
)
_SAMPLE = 200
_CHUNK = 16384  # rows whose digits stay in the cache while they are put together
_OTHER = (
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%d.%m.%Y %H:%M:%S%.f", "%d.%m.%Y %H:%M",
    "%d.%m.%Y", "%b %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y",
    "%a, %d %b %Y %H:%M:%S GMT", "%m/%d/%y", "%Y%m%d %H%M%S%3f",
)  # fmt: skip


def seconds(numbers: Floats) -> Floats:
    """Return numbers of any unit in seconds."""
    known = numbers if not numbers.size or numbers.min() >= 0 else numbers[numbers >= 0]
    if not known.size or known.max() < _BORDERS[-1][0]:
        return numbers
    lowest, highest = known.min(), known.max()
    ceiling = np.inf
    for border, unit in _BORDERS:
        if lowest >= border and highest < ceiling:
            return numbers / unit
        ceiling = border
    divisors = np.select([numbers >= border for border, _ in _BORDERS], [u for _, u in _BORDERS], 1)
    return np.asarray(numbers / divisors, dtype=np.float64)


def stamp(value: object) -> float | None:
    """Return one number or ISO text in seconds, or None."""
    if isinstance(value, str):
        try:
            return _unit(float(value))
        except ValueError:
            return _iso(value)
    return _unit(value) if isinstance(value, (int, float)) else None


def _unit(number: float) -> float | None:
    if not number >= 0:
        return None
    return number / next((unit for border, unit in _BORDERS if number >= border), 1)


def _iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def looks_numeric(cells: list[str]) -> bool:
    """Tell whether most cells are numbers that are not dates like 20240131."""
    filled = [cell for cell in cells if cell]
    numbers = [cell for cell in filled if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE]\+?\d+)?", cell)]
    dates = [cell for cell in numbers if re.fullmatch(r"(19|20)\d\d(0\d|1[0-2])[0-3]\d", cell)]
    return len(numbers) * 2 > len(filled) and len(dates) * 2 <= len(numbers)


def looks_like_time(cells: list[str]) -> bool:
    """Tell whether most cells are times: epochs of this age, or dates."""
    import polars as pl

    filled = [cell for cell in cells if cell][:20]
    if looks_numeric(filled):
        good = sum((_number(cell) or 0.0) >= 1e8 for cell in filled)
    else:
        good = int(np.isfinite(from_text(pl.Series(filled, dtype=pl.String))).sum())
    return good * 2 > len(filled)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def from_text(cells: pl.Series) -> Floats:
    """Return the times of text cells; the ISO family takes a fast path, row length by row length.

    The fast path reads digits as a matrix of bytes, for polars needs three times as long for a
    date as for its whole line.
    """
    import polars as pl

    cells = cells.str.strip_chars() if _padded(cells) else cells
    times = np.full(len(cells), np.nan)
    lengths = cells.str.len_bytes().fill_null(0).to_numpy()
    even = len(lengths) > 0 and lengths.min() == lengths.max()
    for length in lengths[:1] if even else np.unique(lengths):
        where = np.flatnonzero(lengths == length)
        group = cells if even else cells.gather(where)
        match = _ISO.fullmatch(str(group[0])) if 8 <= length <= 40 else None
        if match and group[0].isascii():
            raw = group.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, int(length)))
            times[where] = _digits(raw.to_numpy(), match)
    late = np.flatnonzero(np.isnan(times) & (lengths > 0))
    if late.size:
        times[late] = _by_format(cells.gather(late))
    return times


def _padded(cells: pl.Series) -> bool:
    head = cells.head(50).drop_nulls().to_list()
    return any(cell != cell.strip() for cell in head)


def _digits(raw: npt.NDArray[np.uint8], match: re.Match[str]) -> Floats:
    """Put ISO times together from bytes laid out like the one that `match` parsed."""
    spans = [match.span(group) for group in (1, 3, 4, 5, 6, 7, 8)]
    digit = np.zeros(raw.shape[1], dtype=bool)
    for start, end in spans:
        digit[max(start, 0) : max(end, 0)] = True
    # Nine digits of a fraction are nanoseconds; what follows must be digits and adds nothing.
    spans[6] = (spans[6][0], min(spans[6][1], spans[6][0] + 9))
    fixed = np.frombuffer(match.string.encode(), np.uint8)
    offset = _offset(match.group(9) or "")
    parts = [_chunk(raw[n : n + _CHUNK], spans, digit, fixed) for n in range(0, len(raw), _CHUNK)]
    return np.concatenate(parts) - offset


def _chunk(
    raw: npt.NDArray[np.uint8],
    spans: list[tuple[int, int]],
    digit: npt.NDArray[np.bool_],
    fixed: npt.NDArray[np.uint8],
) -> Floats:
    columns = np.ascontiguousarray(raw.T)
    good = (columns[~digit] == fixed[~digit][:, None]).all(axis=0)
    columns = columns - np.uint8(48)
    good &= (columns[digit] <= 9).all(axis=0)
    # Most rows of a stretch fall on one day, which is then worked out once.
    one_day = (columns[: spans[2][1]] == columns[: spans[2][1], :1]).all()
    days, real = _days(columns[:, :1] if one_day else columns, spans)
    hour, minute, second, fraction = (_field(columns, *span) for span in spans[3:])
    good &= real & (hour <= 23) & (minute <= 59) & (second <= 60)
    whole = days * 86400 + hour * 3600 + minute * 60 + second
    width = spans[6][1] - spans[6][0]
    # Whole units are divided once, so that a time rounds exactly as Python's own parser has it.
    unit = 10**width
    times = (whole * unit + fraction) / unit if width <= 6 else whole + fraction / unit
    times[~good] = np.nan
    return np.asarray(times, dtype=np.float64)


def _days(
    columns: npt.NDArray[np.uint8], spans: list[tuple[int, int]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return days since the epoch, and which of them are in the calendar."""
    year, month, day = (_field(columns, *span) for span in spans[:3])
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    days = months.astype("M8[D]") + (day - 1)
    real = (month >= 1) & (month <= 12) & (days.astype("M8[M]") == months)
    return days.astype(np.int64), real


def _field(columns: npt.NDArray[np.uint8], start: int, end: int) -> npt.NDArray[np.int32]:
    value = np.zeros(columns.shape[1], dtype=np.int32)
    for place in range(max(start, 0), max(end, 0)):
        value = value * 10 + columns[place]
    return value


def _offset(zone: str) -> int:
    digits = re.sub(r"\D", "", zone)
    if not digits:
        return 0
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return (-minutes if "-" in zone else minutes) * 60


def _by_format(cells: pl.Series) -> Floats:
    """Read what is left: other offsets first, then the format that fits most of the cells."""
    import polars as pl

    def parsed(form: str, part: pl.Series) -> pl.Series:
        if "%H" in form or "%I" in form:
            return part.str.to_datetime(form, strict=False, time_unit="us")
        return part.str.to_date(form, strict=False).cast(pl.Datetime("us"))

    sample = cells.head(_SAMPLE)
    best = parsed(min(_OTHER, key=lambda form: parsed(form, sample).null_count()), cells)
    iso = np.array([_iso(cell) or np.nan for cell in cells.to_list()])
    micros = best.dt.timestamp("us").cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.where(np.isnan(iso), micros / 1e6, iso)


def to_utc(local: Floats, zone: str) -> Floats:
    """Return wall clock seconds of a zone as Unix seconds; hours that never were become NaN."""
    import polars as pl

    local = np.where(np.abs(local) < _BORDERS[-1][0], local, np.nan)
    micros = np.round(np.nan_to_num(local) * 1e6).astype(np.int64)
    clock = pl.Series(micros).cast(pl.Datetime("us"))
    moved = clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    unix = moved.dt.timestamp("us").cast(pl.Float64).fill_null(float("nan")).to_numpy() / 1e6
    return np.where(np.isnan(local), np.nan, unix)

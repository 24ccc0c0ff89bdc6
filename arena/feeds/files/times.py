"""Times of all spellings to float Unix seconds, NaN where a cell is no time.

Numbers are seconds, milliseconds, microseconds or nanoseconds, decided for each value, because one
set of Binance files mixes two of them. Text without a zone is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from arena.feeds.files.clock import ISO, iso_times
from arena.feeds.files.dates import fits, for_polars, forms_of
from arena.feeds.files.tape import Floats
from arena.feeds.files.words import MARGIN, Text

if TYPE_CHECKING:
    import polars as pl

# From 1973 on these borders part the units; before it no venue had a socket.
_BORDERS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


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
    filled = [cell for cell in cells if cell][:20]
    if looks_numeric(filled):
        good = sum((_number(cell) or 0.0) >= 1e8 for cell in filled)
    else:
        good = sum(bool(ISO.fullmatch(cell)) for cell in filled)
        if good * 2 <= len(filled) and (forms := forms_of(filled)):
            good = sum(fits(cell, forms[0]) for cell in filled)
    return good * 2 > len(filled)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def from_text(cells: pl.Series, form: str = "") -> Floats:
    """Return the times of text cells; `form` is for those that are not ISO."""
    cells = cells.fill_null("").str.strip_chars()
    ends = np.cumsum(cells.str.len_bytes().to_numpy().astype(np.int64) + 1) - 1 + MARGIN
    if not ends.size:
        return np.empty(0)
    starts = np.concatenate([[MARGIN], ends[:-1] + 1])
    times = iso_times(Text.of(cells.str.join("\n")[0].encode()), starts, ends)
    late = np.flatnonzero(np.isnan(times) & (ends > starts))
    if late.size:
        times[late] = _odd(cells.gather(late), form)
    return times


def _odd(cells: pl.Series, form: str) -> Floats:
    """Read what is left: ISO times laid out unlike the others, and the file's own form."""
    import polars as pl

    iso = np.array([_iso(cell) or np.nan for cell in cells.to_list()])
    if not form:
        return iso
    spelt = for_polars(form)
    if "%H" in form or "%I" in form:
        best = cells.str.to_datetime(spelt, strict=False, time_unit="us")
    else:
        best = cells.str.to_date(spelt, strict=False).cast(pl.Datetime("us"))
    micros = best.dt.timestamp("us").cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.where(np.isnan(micros), iso, micros / 1e6)


def to_utc(local: Floats, zone: str) -> Floats:
    """Return wall clock seconds of a zone as Unix seconds; hours that never were become NaN."""
    import polars as pl

    local = np.where(np.abs(local) < _BORDERS[-1][0], local, np.nan)
    micros = np.round(np.nan_to_num(local) * 1e6).astype(np.int64)
    clock = pl.Series(micros).cast(pl.Datetime("us"))
    moved = clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    unix = moved.dt.timestamp("us").cast(pl.Float64).fill_null(float("nan")).to_numpy() / 1e6
    return np.where(np.isnan(local), np.nan, unix)

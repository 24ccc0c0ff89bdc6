"""Times of all spellings to float Unix seconds, NaN where a cell is no time; clocks in a column of their own.

A column has one spelling: numbers since 1970 in one unit, or text in one form. Text that is spelt in
another way than the rest is still read where its spelling can be known by itself (ISO, AM and PM, 24:00).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from arena.errors import MarketDataError
from arena.feeds.files.report import Floats

EARLIEST, LATEST = -2_208_988_800.0, 4_102_444_800.0  # 1900 and 2100
UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6, "ns": 1e9}
MIXED = 0.0  # the unit of a column whose values are of several
_MODERN = 1e8  # seconds; numbers of several units are told apart from 1973 on
_MANY = 64  # cells from which on it pays to take a fraction of a second apart
_TRIED = 60  # cells are enough to tell a form

_CLOCKS = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %H%M", " %H%M%S",
    ", %H:%M", ", %H:%M:%S", ", %I:%M %p", ", %I:%M:%S %p",
)  # fmt: skip
_DAYS = (
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m.%d.%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y",
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y",
    "%d%b%Y", "%b %d %Y",
)  # fmt: skip
_WHOLE = (
    "%a, %d %b %Y %H:%M:%S GMT", "%d.%m.%Y %H:%M:%S.%f GMT%z", "%Y%m%d %H%M%S%f", "%a %b %d %H:%M:%S %Y",
)  # fmt: skip
FORMS = (*(day + clock for day in _DAYS for clock in _CLOCKS), *_WHOLE)
_COMPACT = {
    8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%3f", 20: "%Y%m%d%H%M%S%6f",
}  # fmt: skip
_ISO = re.compile(
    r"(?P<year>\d{4})(?P<sign>[-/.]?)(?P<month>\d\d?)(?P=sign)(?P<day>\d\d?)"
    r"(?:(?P<join>[T D_]|, )(?P<hour>\d\d?)(?:(?P<colon>:?)(?P<minute>\d\d)"
    r"(?:(?P=colon)(?P<second>\d\d)(?P<fraction>[.,]?\d+)?)?)?)?"
    r"(?P<zone> ?(?:Z|z|UTC|GMT|[+-]\d\d:?(?:\d\d)?))?(?P<name>\[[\w/+-]+\])?",
)
_WORDS = {"%d": "day", "%m": "month", "%b": "month", "%B": "month", "%Y": "year", "%y": "year"}
_ABBREVIATED = {
    "EST": "-05:00", "EDT": "-04:00", "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00",
    "PST": "-08:00", "PDT": "-07:00", "CET": "CET", "CEST": "+02:00", "EET": "EET", "EEST": "+03:00", "WET": "WET",
    "BST": "+01:00", "MSK": "+03:00", "IST": "+05:30", "SGT": "+08:00", "HKT": "+08:00", "JST": "+09:00",
    "KST": "+09:00", "AEST": "+10:00", "AEDT": "+11:00", "UTC": "UTC", "GMT": "UTC", "Z": "UTC",
    "ET": "America/New_York", "CT": "America/Chicago", "PT": "America/Los_Angeles", "NYT": "America/New_York",
    "EASTERN": "America/New_York", "CENTRAL": "America/Chicago", "PACIFIC": "America/Los_Angeles",
}  # fmt: skip
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d?):?(\d\d)?")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the times of a table are written.

    Numbers are of a `unit`, the number of them in a second, or of `MIXED` ones; else they are text of a
    `form`. `bare` tells dates without a clock, `zoned` cells that say their zone. A `clock` beside the
    date is a text with colons ("text"), or digits: hours ("hour"), hours and minutes ("minute"), and so on.
    """

    unit: float | None = None
    form: str = ""
    bare: bool = False
    zoned: bool = False
    clock: str = ""
    note: str = ""

    def spoken(self) -> str:
        """Return the spelling in words."""
        if self.unit is not None:
            names = [name for name, unit in UNITS.items() if unit == self.unit]
            return f"numbers of {names[0]} since 1970" if names else "numbers since 1970 of several units"
        words = "dates" if self.bare else "dates with a clock"
        return f"{words}, {self.form}" if self.form else words


# Zones


def zone_of(text: str) -> str:
    """Return a zone by its IANA name, its usual letters or its offset; MarketDataError for any other."""
    name = text.strip()
    if name.upper() in _ABBREVIATED:
        return _ABBREVIATED[name.upper()]
    if match := _OFFSET.fullmatch(name.upper().replace(" ", "")):
        sign, hours, minutes = match.groups()
        if int(hours) <= 14 and int(minutes or 0) < 60:
            return f"{sign}{int(hours):02}:{int(minutes or 0):02}"
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise MarketDataError(
            f"--zone is {name!r}, which is no zone; give a name like America/New_York, or an offset like -05:00.",
            usage=True,
        ) from None
    return name


def zone_in(name: str) -> str | None:
    """Return the zone that a column's name gives in words or brackets, as in `Time (EET)`, or None."""
    if re.search(r"(?i)utc|gmt", name) and not re.search(r"(?i)(?:utc|gmt) ?[+-]\d", name):
        return "UTC"
    if match := re.search(r"(?i)(?:utc|gmt) ?[+-]\d\d?(?::?\d\d)?", name):
        return zone_of(match.group())
    for part in re.split(r"[^A-Za-z/_]+|(?<=[a-z])_(?=[A-Z])", name):
        if "/" in part and part[0].isalpha():
            try:
                return zone_of(part)
            except MarketDataError:
                continue
        for word in part.split("_"):
            if len(word) >= 2 and word.upper() in _ABBREVIATED and (word.isupper() or word.lower() in {"est", "cet"}):
                return _ABBREVIATED[word.upper()]
    return None


def to_utc(local: Floats, zone: str | None) -> Floats:
    """Return wall clock seconds of a zone as Unix seconds; hours that never were become NaN."""
    if zone is None or zone == "UTC":
        return local
    if match := re.fullmatch(r"([+-])(\d\d):(\d\d)", zone):
        seconds = int(match[2]) * 3600 + int(match[3]) * 60
        return local + (seconds if match[1] == "-" else -seconds)
    good = np.isfinite(local) & (local >= EARLIEST) & (local <= LATEST)
    micros = np.round(np.where(good, local, 0.0) * 1e6).astype(np.int64)
    clock = pl.Series(micros).cast(pl.Datetime("us"))
    moved = clock.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    unix = moved.dt.timestamp("us").cast(pl.Float64).fill_null(float("nan")).to_numpy() / 1e6
    return np.where(good, unix, np.nan)


# Numbers since 1970


def unit_of(low: float, high: float) -> float | None:
    """Return the unit in which all numbers between two lie within 1900 and 2100, or None."""
    first, last = _own_unit(low), _own_unit(high)
    if first and last and first != last and min(low / first, high / last) >= _MODERN:
        return MIXED
    return next((unit for unit in UNITS.values() if low / unit >= EARLIEST and high / unit <= LATEST), None)


def _own_unit(number: float) -> float | None:
    return next((unit for unit in UNITS.values() if abs(number) / unit <= LATEST), None)


def seconds(numbers: Floats, unit: float) -> Floats:
    """Return numbers of a unit in seconds, NaN outside 1900 and 2100."""
    if unit == MIXED:
        borders = [numbers > LATEST * before for before in (1e6, 1e3, 1.0)]
        found = numbers / np.select(borders, [1e9, 1e6, 1e3], 1.0)
    else:
        found = numbers if unit == 1.0 else numbers / unit
    outside = ~((found >= EARLIEST) & (found <= LATEST))
    return np.where(outside, np.nan, found) if outside.any() else found


def stamp(value: object) -> float | None:
    """Return one number of any unit, or an ISO text, in seconds, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return _iso(value)
    elif isinstance(value, (int, float)):
        try:
            number = float(value)
        except OverflowError:
            return None
    else:
        return None
    unit = _own_unit(number) if number == number else None  # noqa: PLR0124 - NaN
    return None if unit is None else number / unit


def _iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def looks_numeric(cells: Sequence[str]) -> bool:
    """Tell whether most cells are numbers that are not dates like 20240131."""
    filled = [cell for cell in cells if cell]
    numbers = [cell for cell in filled if re.fullmatch(r"[+-]?\d+([.,]\d*)?([eE]\+?\d+)?", cell)]
    dates = [cell for cell in numbers if re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])[0-3]\d", cell)]
    return len(numbers) * 2 > len(filled) and len(dates) * 2 <= len(numbers) and not is_compact(filled)


def is_compact(cells: Sequence[str]) -> bool:
    """Tell whether digits are a date and mostly a clock without signs, as in 20200102153000."""
    filled = [cell.removesuffix(".0") for cell in cells if cell]
    form = _COMPACT.get(len(filled[0])) if filled else None
    if form is None or any(len(cell) != len(filled[0]) or not cell.isdecimal() for cell in filled):
        return False
    tried = filled[:: len(filled) // _TRIED + 1]
    first = 1990 if len(filled[0]) == 10 else 1900
    return all(
        first <= int(cell[:4]) < 2100 and fits(cell, form.replace("%3f", "%f").replace("%6f", "%f")) for cell in tried
    )


def looks_like_time(cells: Sequence[str]) -> bool:
    """Tell whether most cells are times: numbers of some age since 1970, or dates, or both in one column."""
    filled = [cell for cell in cells if cell]
    filled = filled[:: len(filled) // _TRIED + 1]
    numbers = (
        []
        if is_compact(filled)
        else [number for cell in filled if (number := _number(cell)) is not None and not is_time(cell)]
    )
    good = sum(abs(number) >= _MODERN for number in numbers)
    if looks_numeric(filled) and not good and len(numbers) > 2:
        # In the first years after 1970 numbers are small, but they rise in even steps.
        good = len(numbers) * (max(map(abs, numbers)) >= _MODERN / 1e3 and _is_monotonous(numbers))
    texts = [cell for cell in filled if not looks_numeric([cell]) or is_time(cell)]
    good += sum(map(is_time, texts))
    others = [cell for cell in texts if not is_time(cell)]
    if others and (forms := forms_of(others)):
        good += sum(fits(_tidy(cell), forms[0]) for cell in others)
    return good * 2 > len(filled)


def _is_monotonous(numbers: Sequence[float]) -> bool:
    return all(number == int(number) for number in numbers) and (
        list(numbers) in (sorted(set(numbers)), sorted(set(numbers), reverse=True))
    )


def _number(cell: str) -> float | None:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return None


# Text


def is_time(cell: str) -> bool:
    """Tell whether one cell is a time in an ISO spelling, or in compact digits."""
    if is_compact([cell]):
        return True
    match = _ISO.fullmatch(cell)
    return match is not None and 1 <= int(match["month"]) <= 12 and 1 <= int(match["day"]) <= 31


def form_of_one(cell: str) -> str | None:
    """Return the form of an ISO time or of compact digits, in the spelling of polars, or None."""
    if cell.isdecimal():
        return _COMPACT.get(len(cell)) if is_compact([cell]) else None
    match = _ISO.fullmatch(cell)
    if match is None or match["name"] or (not match["sign"] and len(match["month"] + match["day"]) != 4):
        return None
    form = "%Y{0}%m{0}%d".format(match["sign"])
    if match["hour"]:
        if match["minute"] is None:
            return None
        form += match["join"] + match["colon"].join(["%H", "%M", "%S"][: 2 + (match["second"] is not None)])
        fraction = match["fraction"] or ""
        if fraction[:1] == ".":
            form += "%.f"
        elif match["colon"] or fraction[:1] == ",":
            form += "%.f" if match["second"] else ""
        elif fraction:
            form += {3: "%3f", 6: "%6f", 9: "%9f"}.get(len(fraction), "%.f")
    zone = match["zone"] or ""
    if re.search(r"[+-]", zone):
        return form + (" " if zone[0] == " " else "") + ("%z" if len(zone.strip()) > 3 else "%#z")
    return form + zone


def forms_of(cells: Sequence[str]) -> list[str]:
    """Return the forms that fit most of the cells, all equally well; nothing if none fits one."""
    filled = sorted({_tidy(cell) for cell in cells if cell})
    tried = filled[:: len(filled) // _TRIED + 1]
    numbers = {form: sum(fits(cell, form) for cell in tried) for form in FORMS}
    best = max(numbers.values())
    return [form for form, number in numbers.items() if number == best] if best else []


def form_of(cells: Sequence[str], days: Callable[[], Iterable[str]]) -> tuple[str, str]:
    """Return the form of a column and, where it had to be guessed, a sentence that says so.

    Where a sample does not part 3 April from 4 March, all `days` of the file decide: the form that
    fits more of them, else the one that puts them closer together.
    """
    forms = forms_of(cells)
    if len({day_part(form) for form in forms}) < 2:
        return (forms[0] if forms else ""), ""
    all_days = sorted(set(days()))
    ranks = [(-sum(fits(day, day_part(form)) for day in all_days), _span(all_days, day_part(form))) for form in forms]
    best = min(range(len(forms)), key=ranks.__getitem__)
    sure = ranks.count(ranks[best]) == 1
    other = next((form for form in forms if _spoken(form) != _spoken(forms[best])), forms[best])
    return forms[
        best
    ], "" if sure else f"Dates were read as {_spoken(forms[best])}; they could be {_spoken(other)} as well."


def _span(days: Iterable[str], form: str) -> int:
    """Return how many days lie between the first and the last one."""
    read = [datetime.strptime(day, form).toordinal() for day in days if fits(day, form)]  # noqa: DTZ007
    return max(read) - min(read) if read else 0


def fits(cell: str, form: str) -> bool:
    """Tell whether a cell is written in a form."""
    try:
        datetime.strptime(cell, form)  # noqa: DTZ007 - whether it can be read, not what it is
    except (ValueError, OverflowError):
        return False
    return True


def day_part(form: str) -> str:
    """Return a form without its clock."""
    return re.split(r",? ?%[HI]|T%[HI]", form)[0]


def _spoken(form: str) -> str:
    return ", ".join(_WORDS[part] for part in re.findall(r"%[dmbBYy]", form))


def _tidy(cell: str) -> str:
    """Return a cell whose half of the day is written as in `4:00 PM`, without a zone's letters."""
    text = re.sub(r"(?i)\b(\d\d?)[- ]?([ap])\.?m\.?$", r"\1:00 \2M", cell) if ":" not in cell else cell
    text = re.sub(r"(?i)\s*([ap])\.?m\.?$", lambda half: f" {half[1].upper()}M", text)
    return re.sub(r" (?:[A-Z]{1,2}[DS]?T|UTC|Z)$", "", text)


def for_polars(form: str) -> str:
    """Return the form in the spelling of polars, which parts fractions differently."""
    return form.replace("%S.%f", "%S%.f").replace("%S%f", "%S%3f")


def from_text(cells: pl.Series, form: str = "", zone: str | None = None) -> Floats:
    """Return the times of text cells; `zone` is that of cells which do not say theirs."""
    cells = cells.fill_null("").str.strip_chars()
    times = np.full(len(cells), np.nan)
    if form and (form in FORMS or form_has_clock(form) or "%d" in form):
        times = _absolute(_parsed(cells, for_polars(form)), form, zone)
    # What is left is spelt in another way than the rest: a few forms at most, each known by itself.
    numeric = (
        cells.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy() if np.isnan(times).any() else times
    )
    epochs = np.isnan(times) & (np.abs(numeric) >= _MODERN) & ~cells.str.contains(r"^\d{8}$").to_numpy()
    if epochs.any() and not any(map(is_time, cells.filter(pl.Series(epochs)).head(20).to_list())):
        unit = unit_of(float(numeric[epochs].min()), float(numeric[epochs].max()))
        times[epochs] = np.nan if unit is None else seconds(numeric[epochs], unit)
    for _ in range(12):
        left = np.flatnonzero(np.isnan(times) & (cells != "").to_numpy())
        if not left.size:
            break
        rest = cells.gather(left)
        other = next(
            (found for cell in rest.head(40).to_list() if (found := form_of_one(cell)) is not None and found != form),
            None,
        )
        read = np.full(len(rest), np.nan) if other is None else _absolute(_parsed(rest, other), other, zone)
        if np.isnan(read).all():
            times[left] = _odd(rest, form, zone)
            break
        times[left] = read
    return times


def form_has_clock(form: str) -> bool:
    """Tell whether a form says more than a date."""
    return "%H" in form or "%I" in form


def _absolute(local: Floats, form: str, zone: str | None) -> Floats:
    return local if re.search(r"%#?z|[Zz]$|UTC$|GMT$", form) else to_utc(local, zone)


def _parsed(cells: pl.Series, form: str) -> Floats:
    """Return the seconds of cells of a form, NaN where one has another."""
    if form.endswith("%d%H"):
        cells, form = cells + "00", form + "%M"
    if form.endswith(("%S%.f", "%S%.fZ")) and len(cells) > _MANY:
        return _with_fraction(cells, form)
    try:
        if form_has_clock(form):
            moments = cells.str.to_datetime(form, strict=False, time_unit="us", exact=True)
        else:
            moments = cells.str.to_date(form, strict=False, exact=True).cast(pl.Datetime("us"))
    except pl.exceptions.PolarsError:
        return np.full(len(cells), np.nan)
    found = moments.dt.timestamp("us").cast(pl.Float64).fill_null(float("nan")).to_numpy() / 1e6
    outside = ~((found >= EARLIEST) & (found <= LATEST))
    return np.where(outside, np.nan, found) if outside.any() else found


def _with_fraction(cells: pl.Series, form: str) -> Floats:
    """Return the seconds of cells that end in a fraction, which polars reads quicker by itself."""
    text = cells.str.strip_suffix("Z") if form.endswith("Z") else cells
    whole = form.removesuffix("Z").removesuffix("%.f")
    width = len(datetime(2000, 1, 1, tzinfo=UTC).strftime(whole))
    seconds_ = _parsed(text.str.head(width), whole)
    tails = text.str.slice(width)
    fractions = tails.cast(pl.Float64, strict=False).fill_null(0.0).to_numpy()
    sound = (tails == "") | (tails.str.starts_with(".") & (tails.str.len_bytes() > 1))
    if form.endswith("Z"):
        sound &= cells.str.ends_with("Z")
    # Whole microseconds are divided once, so that a time rounds as Python's own parser has it.
    found = (np.round(seconds_ * 1e6) + np.round(fractions * 1e6)) / 1e6
    return np.where(sound.to_numpy() & (fractions >= 0) & (fractions < 1), found, np.nan)


def _odd(cells: pl.Series, form: str, zone: str | None) -> Floats:
    """Read cells one by one: a half of the day, 24:00, letters of a zone, a comma before the fraction."""
    known: dict[str, float] = {}
    for cell in set(cells.to_list()):
        known[cell] = _one(cell, form, zone)
    return np.array([known[cell] for cell in cells.to_list()])


def _one(cell: str, form: str, zone: str | None) -> float:
    text, later, own = cell, 0.0, zone
    if match := re.search(r"[ T]24:?00(?::?00(?:\.0+)?)?", text):
        text, later = text.replace(match.group(), match.group().replace("24", "00", 1)), 86400.0
    if (match := re.search(r" ([A-Z]{1,4})$", text)) and match[1] in _ABBREVIATED and match[1] not in {"AM", "PM"}:
        text, own = text[: match.start()], _ABBREVIATED[match[1]]
    text = re.sub(r"\[[^\]]*\]$", "", text)
    text = _tidy(re.sub(r"(\d\d:\d\d),(\d+)", r"\1.\2", text))
    candidates = [form_of_one(text), form, *_alternatives(text, form)]
    for candidate in filter(None, candidates):
        found = _absolute(_parsed(pl.Series([text]), for_polars(candidate)), candidate, own)[0]
        if not np.isnan(found):
            return float(found) + later
    moment = _iso(text)
    return np.nan if moment is None or not EARLIEST <= moment <= LATEST else moment + later


def _alternatives(text: str, form: str) -> list[str]:
    """Return the forms that one cell fits and that put day and month where the others have them."""
    order = re.findall(r"%[dmbB]", form.replace("%B", "%b"))
    forms = forms_of([text])
    if not form:
        return forms if len({day_part(found) for found in forms}) == 1 else []
    return [found for found in forms if re.findall(r"%[dmbB]", found.replace("%B", "%b")) == order]


def spelling_of(cells: Sequence[str], days: Callable[[], Iterable[str]]) -> Spelling:
    """Return how a column of times is written, by a sample of its cells; all `days` of the file decide if they must."""
    filled = [cell for cell in cells if cell]
    if is_compact(filled):
        form = _COMPACT[len(filled[0].removesuffix(".0"))]
        return Spelling(form=form, bare=not form_has_clock(form))
    if looks_numeric(filled) and not any(_ISO.fullmatch(cell) and not cell.isdecimal() for cell in filled):
        numbers = [number for cell in filled if (number := _number(cell)) is not None]
        unit = unit_of(min(numbers), max(numbers)) if numbers else 1.0
        return Spelling(unit=1.0 if unit is None else unit)
    forms = [form_of_one(re.sub(r"\[[^\]]*\]$", "", cell)) for cell in filled]
    known = [form for form in forms if form is not None]
    if len(known) * 2 > len(filled):
        form = max(dict.fromkeys(known), key=known.count)
        bare = not any(map(form_has_clock, known))
        return Spelling(
            form=form, bare=bare and len(known) == len(filled), zoned=bool(re.search(r"%#?z|Z$|z$|UTC$|GMT$", form))
        )
    # Where some times are ISO, and some are not, the others have the form.
    form, note = form_of([cell for cell, known_form in zip(filled, forms, strict=True) if known_form is None], days)
    zoned = "GMT" in form or (bool(filled) and all(re.search(r" (?:[A-Z]{1,2}[DS]?T|UTC)$", cell) for cell in filled))
    return Spelling(form=form, bare=not form_has_clock(form), zoned=zoned, note=note)


def clock_kind(cells: Sequence[str], *, hour: bool) -> str:
    """Return how clocks are written: as text, or as digits that end in hours, minutes and so on; else nothing."""
    filled = [cell.removesuffix(".0") for cell in cells if cell]
    if not filled:
        return ""
    if all(
        re.fullmatch(
            r"(?i)\d\d?(:\d\d){1,2}([.,:]\d+)?( ?[ap]\.?m\.?)?( ?[A-Z]{1,4}|[+-]\d\d:?\d\d)?|\d\d?[- ]?[ap]\.?m\.?",
            cell,
        )
        for cell in filled
    ):
        return "text"
    if not all(cell.isdecimal() for cell in filled):
        return ""
    longest, highest = max(map(len, filled)), max(map(int, filled))
    if longest <= 2:
        return "hour" if highest <= 24 and (hour or len(set(filled)) > 1) else ""
    for kind, lengths, unit in (("minute", (3, 4), 100), ("second", (5, 6), 10_000), ("milli", (7, 8, 9), 10_000_000)):
        if longest in lengths and highest <= 24 * unit and all(_is_sexagesimal(int(cell), kind) for cell in filled):
            return kind
    return ""


def _is_sexagesimal(number: int, kind: str) -> bool:
    number //= 1000 if kind == "milli" else 1
    parts = [number % 100] if kind == "minute" else [number % 100, number // 100 % 100]
    return all(part < 60 for part in parts)


def clock_seconds(cells: pl.Series, kind: str) -> Floats:
    """Return the seconds since midnight that clocks say, NaN where one is none."""
    texts = cells.cast(pl.String).fill_null("").str.strip_chars()
    if kind != "text":
        numbers = texts.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        millis = numbers % 1000 if kind == "milli" else 0.0
        whole = numbers // 1000 if kind == "milli" else numbers
        whole = whole * {"hour": 10_000, "minute": 100}.get(kind, 1)
        hours, minutes, rest = whole // 10_000, whole // 100 % 100, whole % 100
        found = hours * 3600 + minutes * 60 + rest + millis / 1000
        return np.where((hours <= 24) & (minutes < 60) & (rest < 60) & (found <= 86400), found, np.nan)
    parts = texts.str.extract_groups(
        r"(?i)^(\d\d?)(?::(\d\d))?(?::(\d\d))?(?:[.,:](\d{1,9}))?\s*-?"
        r"(?:([ap])\.?m\.?)?(?: ?[A-Z]{1,4}|[+-]\d\d:?\d\d)?$"
    )
    hour, minute, second, fraction, half = (parts.struct.field(name) for name in parts.struct.fields)
    hours = hour.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    halves = half.str.to_lowercase().fill_null("").to_numpy()
    hours = np.where(halves == "a", hours % 12, np.where(halves == "p", hours % 12 + 12, hours))
    digits = fraction.fill_null("0")
    fractions = ("0." + digits).cast(pl.Float64).to_numpy()
    minutes, seconds_ = (part.cast(pl.Float64).fill_null(0.0).to_numpy() for part in (minute, second))
    found = hours * 3600 + minutes * 60 + seconds_ + fractions
    return np.where((found <= 86400) & (minutes < 60) & (seconds_ <= 60), found, np.nan)

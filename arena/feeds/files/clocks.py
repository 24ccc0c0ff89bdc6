"""A clock in a column of its own, beside the date: with colons, in digits, or with half of the day."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from arena.feeds.files.report import Floats


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

"""Numbers as people and programs write them: one reading a file, which all of its cells must allow.

`1,234.50` and `1.234,50` say by themselves which sign parts the decimals; `148,123` does not. The
other cells of the file decide then, and where none does it is a question to the user.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from arena.errors import MarketDataError

_MONEY = r"(?:[$€£¥₹₩₽฿]|R\$|Rs\.?|[A-Z]{3})?\s?"
_TAIL = r"\s?(?:[$€£¥₹₩₽฿]|[A-Z]{3})?"
# In the regular expressions of polars, which know no lookahead.
_APART = r"'\x{2019}\s\x{a0}\x{202f}_"  # between thousands
POINT = rf"^{_MONEY}[+-]?{_MONEY}(?:\d{{1,3}}(?:[,{_APART}]\d{{2,3}})+|\d+)(?:\.\d*)?{_TAIL}$|^[+-]?\.\d+$"
COMMA = rf"^{_MONEY}[+-]?{_MONEY}(?:\d{{1,3}}(?:[.{_APART}]\d{{3}})+|\d+)(?:,\d*)?{_TAIL}$|^[+-]?,\d+$"
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|nan|NaN|-?inf")
_SUFFIX = r"\s?[%KMBTkmb€$£]?\s?"
_SHOWS_COMMA = re.compile(
    rf"\D?[+-]?(?:\d{{1,3}}(?:[.\s]\d{{3}})+,\d+|0,\d+|,\d+|\d{{4,}},\d+|\d+,(?:\d{{1,2}}|\d{{4,}})|\d{{1,3}}(?:\.\d{{3}}){{2,}}){_SUFFIX}"
)
_SHOWS_POINT = re.compile(
    rf"\D?[+-]?(?:\d{{1,3}}(?:[,\s]\d{{3}})+\.\d*|0\.\d+|\.\d+|\d{{4,}}\.\d*|\d+\.(?:\d{{1,2}}|\d{{4,}})|\d{{1,3}}(?:,\d{{3}}){{2,}}){_SUFFIX}"
)
_OPEN_COMMA = re.compile(r"\D?[+-]?[1-9]\d{0,2},\d{3}\D?")
_NAMED = {"point": False, "comma": True}


@dataclass(frozen=True, slots=True)
class Format:
    """How the numbers of a file are written; `proved` tells that a cell says so, `told` that the user does."""

    comma: bool = False
    proved: bool = False
    told: bool = False

    def spoken(self) -> str:
        """Return the format in words."""
        return "decimal comma" if self.comma else "decimal point"


def in_python(pattern: str) -> re.Pattern[str]:
    """Return a pattern of polars for Python, which spells code points otherwise."""
    return re.compile(re.sub(r"\\x\{(\w+)\}", lambda code: chr(int(code[1], 16)), pattern))


_POINTED, _COMMAED = in_python(POINT), in_python(COMMA)


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number in one of the usual ways of writing it."""
    return bool(_PLAIN.fullmatch(cell) or _POINTED.fullmatch(cell) or _COMMAED.fullmatch(cell))


def is_plain(cell: str) -> bool:
    """Tell whether a cell is a number as programs write it."""
    return bool(_PLAIN.fullmatch(cell))


def told_format(name: str) -> Format:
    """Return the format that `--columns decimal=` names."""
    if name not in _NAMED:
        raise MarketDataError(f"--columns has decimal={name}; say decimal=point or decimal=comma.", usage=True)
    return Format(_NAMED[name], proved=True, told=True)


def format_of(cells: Iterable[str], label: str, *, ask: bool = True) -> Format:
    """Return the one format that all cells allow; MarketDataError where two do, or none, with the cells.

    Where cells like `148,123` leave it open, it is asked, or else a point is taken, which nothing has proved.
    """
    cells = [cell for cell in cells if cell]
    comma = next((cell for cell in cells if _SHOWS_COMMA.fullmatch(cell)), None)
    point = next((cell for cell in cells if _SHOWS_POINT.fullmatch(cell)), None)
    if comma is not None and point is not None:
        raise MarketDataError(
            f"{label} has numbers with a decimal comma ({comma!r}) and with a decimal point ({point!r}); "
            "choose with --columns decimal=comma or decimal=point.",
            usage=True,
        )
    unsure = next((cell for cell in cells if _OPEN_COMMA.fullmatch(cell)), None)
    if ask and unsure is not None and comma is None and point is None:
        raise question(unsure, label)
    return Format(comma is not None, comma is not None or point is not None)


def question(cell: str, label: str) -> MarketDataError:
    """Return the question how a cell like `148,123` is meant."""
    digits = re.sub(r"[^\d,]", "", cell)
    return MarketDataError(
        f"{label} has {cell!r}, which is {digits.replace(',', '.')} with a decimal comma and "
        f"{digits.replace(',', '')} with commas between thousands, and no other cell tells which; choose with "
        "--columns decimal=comma or decimal=point.",
        usage=True,
    )


def unsure(cells: pl.Series) -> pl.Series:
    """Return the cells that are a number with a decimal comma and another one with a decimal point."""
    texts = cells.drop_nulls().str.strip_chars()
    return texts.filter(texts.str.contains(f"^(?:{_OPEN_COMMA.pattern})$"))


def shows_point(cells: pl.Series) -> bool:
    """Tell whether a cell has a decimal point for certain."""
    return bool(cells.drop_nulls().str.strip_chars().str.contains(f"^(?:{_SHOWS_POINT.pattern})$").any())


def parsed(cells: pl.Series, form: Format) -> pl.Series:
    """Return cells as numbers, null where one is empty or not of the format."""
    texts = cells.str.strip_chars()
    if form.comma:
        allowed = texts.str.contains(COMMA)
        text = texts.str.replace_all(r"[^\d,+-]", "").str.replace(",", ".", literal=True)
        found = text.cast(pl.Float64, strict=False)
        nan = texts.str.to_lowercase() == "nan"
        return pl.select(pl.when(allowed).then(found).when(nan).then(pl.lit(float("nan"))).otherwise(None)).to_series()
    plain = texts.cast(pl.Float64, strict=False)
    if plain.null_count() == texts.null_count():
        return plain
    allowed = plain.is_null() & texts.str.contains(POINT)
    text = texts.str.replace_all(r"[^\d.+-]", "").cast(pl.Float64, strict=False)
    return pl.select(pl.when(allowed).then(text).otherwise(plain)).to_series()


def of_other_format(cells: pl.Series, form: Format) -> pl.Series:
    """Return the cells that are numbers of the other format and not of this one."""
    texts = cells.drop_nulls().str.strip_chars()
    own, other = (COMMA, POINT) if form.comma else (POINT, COMMA)
    return texts.filter(texts.str.contains(other) & ~texts.str.contains(own))

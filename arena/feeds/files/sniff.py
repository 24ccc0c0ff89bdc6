"""What a text table looks like, from its first lines: separator, preamble, header, sample."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass

_SAMPLE = 200
_LINES = 500
_LOOKED_AT = 20
_SEPARATORS = ("\t", ";", "|", ",", " ")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|nan|NaN|inf|-inf")
# Thousands apart, a sign of money before; and the same where the comma is the decimal point.
MONEY_PATTERN = r"[$€£]?\s?[+-]?\d{1,3}(?:[,'\s\x{a0}]\d{3})*(?:\.\d*)?|[$€£]\s?\d+(?:\.\d*)?"
COMMA_PATTERN = r"[$€£]?\s?[+-]?(?:\d{1,3}(?:[.'\s\x{a0}]\d{3})*|\d+)(?:,\d*)?\s?[$€£]?"
MONEY = re.compile(MONEY_PATTERN.replace(r"\x{a0}", r"\xa0"))
_COMMA = re.compile(COMMA_PATTERN.replace(r"\x{a0}", r"\xa0"))
_DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{2,4}|\d{8} \d")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a text table is cut: `skip` lines come before the first row of data."""

    separator: str
    skip: int
    names: list[str] | None
    sample: list[list[str]]
    decimal_comma: bool

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return max(len(row) for row in [*self.sample[:1], self.names or []])

    def column(self, place: int) -> list[str]:
        """Return the sampled cells of a column, empty where a row is short."""
        return [row[place] if place < len(row) else "" for row in self.sample]


def sniff(head: bytes, *, whole: bool) -> Shape | None:
    """Return the shape of a text table by its first bytes, or None if it is none."""
    if b"\0" in head:
        return None
    lines = head.decode("utf-8", errors="replace").splitlines()
    if not whole and len(lines) > 1:
        lines.pop()
    lines = lines[:_LINES]
    separator = _separator(lines)
    if separator is None:
        return None
    if separator == " ":
        lines = [re.sub(" +", " ", line).strip(" ") for line in lines]
    rows = [[cell.strip() for cell in row] for row in _cells(lines, separator)]
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return None
    width = widths.most_common(1)[0][0]
    if all(row[-1] == "" for row in rows if len(row) == width > 2):
        width -= 1  # a separator ends each line
    start = next(n for n, row in enumerate(rows) if len(row) >= width and not _comment(row))
    names = rows[start] if _is_header(rows[start]) else None
    skip = start + (names is not None)
    if names and names[0] == "Price" and [row[0] for row in rows[skip : skip + 1]] == ["Ticker"]:
        # Newer yfinance puts three lines of header over its dates, and calls the first one Price.
        names, skip = ["Date", *names[1:]], skip + 2
    sample = [row for row in rows[skip : skip + _SAMPLE] if len(row) >= width]
    comma = _has_decimal_commas(sample, separator)
    if comma:
        sample = [[_with_point(cell) for cell in row] for row in sample]
    return Shape(separator, skip, names, sample, comma)


def _cells(lines: list[str], separator: str) -> list[list[str]]:
    """Cut each line by itself, so that one stray quote cannot swallow the lines after it."""
    return [next(csv.reader([line], delimiter=separator), []) for line in lines]


def _comment(row: list[str]) -> bool:
    return row[0].startswith(("#", "//"))


def _separator(lines: list[str]) -> str | None:
    filled = [line for line in lines if line.strip()][:_SAMPLE]
    for separator in _SEPARATORS:
        counts = Counter(line.count(separator) for line in filled if separator in line)
        if counts and counts.most_common(1)[0][1] * 2 > len(filled) - 2:
            return separator
    return None


def _is_header(row: list[str]) -> bool:
    """Tell a header by its cells: none is a number or a date, and some say a word."""
    value = any(_NUMBER.fullmatch(cell) or _DATE.match(cell) for cell in row)
    return not value and any(re.search(r"[A-Za-z]", cell) for cell in row)


def _has_decimal_commas(sample: list[list[str]], separator: str) -> bool:
    """Tell whether commas are decimal points; before three digits they may as well part thousands."""
    cells = [cell for row in sample[:_LOOKED_AT] for cell in row]
    plain = r"[+-]?[\d.]+,(\d{1,2}|\d{4,})"
    commas = plain if separator == "," else rf"{plain}|[+-]?\d+,\d{{3}}"
    points = r"[+-]?[\d,]+\.(\d{1,2}|\d{4,})"
    return any(re.fullmatch(commas, cell) for cell in cells) and not any(re.fullmatch(points, cell) for cell in cells)


def _with_point(cell: str) -> str:
    return re.sub(r"[^\d,+-]", "", cell).replace(",", ".") if "," in cell and _COMMA.fullmatch(cell) else cell

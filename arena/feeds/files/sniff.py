"""What a text table looks like, from its first lines: separator, remarks, header, sample."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from arena.feeds.files.numbers import COMMA, Format, in_python, is_number
from arena.feeds.files.times import is_time

_SAMPLE = 200
_LINES = 500
_SEPARATORS = ("\t", ";", "|", ",", " ")
_DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{2,4}|\d{8} \d")
LEVEL = ":"  # joins the two levels of a header: `Close:AAPL`
_ROLES = re.compile(
    r"(?i)(?:adj(?:usted)?[ _.]?)?(?:open|high|low|close|last|price|volume|vol|bid|ask|mid|vwap|dividends|"
    r"stock splits|capital gains|trades|count|turnover)"
)
_CORNER = re.compile(
    r"(?i)|date|datetime|time|timestamp|ticker|tickers|symbol|symbols|price|attributes|index|unnamed.*"
)
_INDEX = re.compile(r"(?i)|date|datetime|time|timestamp|day|index|unnamed.*")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a text table is cut: `skip` lines come before the first row of data.

    `raw` is the sample as it stands in the file, `sample` the same with its numbers in plain form.
    """

    separator: str
    skip: int
    names: list[str] | None
    sample: list[list[str]]
    raw: list[list[str]]
    numbers: Format = field(default_factory=Format)

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
    rows = [cells_of(line, separator) for line in lines]
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return None
    width = widths.most_common(1)[0][0]
    full = [row for row in rows if len(row) == width]
    if width > 2 and all(row[-1] == "" for row in full):
        width -= 1  # a separator ends each line
    found = next((n for n, row in enumerate(rows) if len(row) >= width and not _is_remark(rows, n)), None)
    if found is None:
        return None
    names, skip = _header(rows, found)
    sample = [row for row in rows[skip : skip + _SAMPLE] if len(row) >= width]
    return Shape(separator, skip, names, sample, sample)


def cells_of(line: str, separator: str) -> list[str]:
    """Cut one line by itself, so that one stray quote cannot swallow the lines after it."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return [cell.strip() for cell in line.split(separator)]


def with_numbers(shape: Shape, numbers: Format) -> Shape:
    """Return the shape with the numbers of its sample in plain form."""
    sample = [[plain_number(cell, numbers) for cell in row] for row in shape.raw]
    return Shape(shape.separator, shape.skip, shape.names, sample, shape.raw, numbers)


_COMMA = in_python(COMMA)


def plain_number(cell: str, numbers: Format) -> str:
    """Return a cell in plain form if it is a number with signs that programs do not write."""
    if numbers.comma:
        return re.sub(r"[^\d,+-]", "", cell).replace(",", ".") if _COMMA.fullmatch(cell) else cell
    if re.search(r"[,'\u2019$€£¥₹₩₽\s]", cell) and is_number(cell):
        return re.sub(r"[^\d.+-]", "", cell)
    return cell


def _is_remark(rows: list[list[str]], place: int) -> bool:
    """Tell a line of remarks, which a header that begins with `#` is not."""
    row = rows[place]
    if not row[0].startswith(("#", "//")):
        return False
    follower = rows[place + 1] if place + 1 < len(rows) else []
    return not (row[0].startswith("#") and len(row) == len(follower) and _is_header(row) and not _is_header(follower))


def _separator(lines: list[str]) -> str | None:
    filled = [line for line in lines if line.strip()][:_SAMPLE]
    for separator in _SEPARATORS:
        counts = Counter(line.count(separator) for line in filled if separator in line)
        if counts and counts.most_common(1)[0][1] * 2 > len(filled) - 2:
            return separator
    return None


def _is_header(row: Sequence[str]) -> bool:
    """Tell a header by its cells: none is a number or a date, and some say a word."""
    value = any(is_number(cell) or _DATE.match(cell) for cell in row if cell)
    return not value and any(re.search(r"[^\W\d_]", cell) for cell in row)


def _header(rows: list[list[str]], start: int) -> tuple[list[str] | None, int]:
    """Return the names of the columns and how many lines come before the first row of data."""
    row = rows[start]
    follower = rows[start + 1] if start + 1 < len(rows) else []
    if not _is_header(row):
        # Names may be digits, as codes of stocks are, where the first one is a word and dates stand below it.
        coded = bool(follower) and bool(_INDEX.fullmatch(row[0])) and is_time(follower[0]) and not is_time(row[-1])
        return (row, start + 1) if coded and all(map(str.isalnum, filter(None, row[1:]))) else (None, start)
    if levels := _levels(rows, start):
        return levels
    return [row[0].removeprefix("#").strip(), *row[1:]], start + 1


def _levels(rows: list[list[str]], start: int) -> tuple[list[str], int] | None:
    """Return the joined names of a header of two lines, roles and symbols, as yfinance writes it, or None."""
    if start + 2 >= len(rows):
        return None
    upper, lower = _filled(rows[start]), _filled(rows[start + 1])
    if len(upper) != len(lower) or len(upper) < 2 or not _CORNER.fullmatch(lower[0]):
        return None
    shares = [sum(bool(_ROLES.fullmatch(cell)) for cell in row[1:]) / (len(row) - 1) for row in (upper, lower)]
    if max(shares) < 0.8 or min(shares) > 0.2 or not all(lower[1:]) or not all(upper[1:]):
        return None
    roles, symbols = (upper, lower) if shares[0] > shares[1] else (lower, upper)
    skip = start + 2
    index = next((cell for cell in (upper[0], lower[0]) if _INDEX.fullmatch(cell) and cell), "Date")
    third = rows[skip]
    if third and not any(third[1:]) and not is_time(third[0]):
        index, skip = third[0] or index, skip + 1
    names = [f"{role}{LEVEL}{symbol}" for role, symbol in zip(roles[1:], symbols[1:], strict=True)]
    return [index, *names], skip


def _filled(row: list[str]) -> list[str]:
    """Return a line in which a name counts for the empty cells behind it, as spreadsheets merge them."""
    filled, last = row[:1], ""
    for cell in row[1:]:
        last = cell or last
        filled.append(last)
    return filled

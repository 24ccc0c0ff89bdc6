"""How commands print: one document on stdout, messages on stderr, tables for people.

Whatever is printed here is cleaned here: names, errors and sources of strangers reach no terminal with escapes,
C1 controls, bidirectional overrides or zero-width characters in them.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from arena.core.text import clean_text

# What JSON leaves as it is and a terminal obeys or hides: C1, soft hyphen, bidi, zero width, lone surrogates, tags.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_NARROWEST = 12  # columns that a name keeps on a narrow terminal
_GAP = "  "


class CleanConsole(Console):
    """A console that prints texts without markup and cleaned, and does not break lines for a pipe."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as `Console.print` does."""
        options.setdefault("markup", False)
        options.setdefault("soft_wrap", not self.is_terminal)
        super().print(*(_cleaned(each) for each in objects), **options)

    def on_broken_pipe(self) -> None:
        """Let whoever runs the command end it."""
        raise BrokenPipeError


def _cleaned(printed: Any) -> Any:
    if isinstance(printed, str):
        return clean_text(printed)
    if isinstance(printed, Text):
        return printed if clean_text(printed.plain) == printed.plain else Text(clean_text(printed.plain), printed.style)
    return printed


console = CleanConsole(highlight=False, emoji=False)
errors = CleanConsole(stderr=True, highlight=False, emoji=False)


def complain(message: str) -> None:
    """Print a message for the person on stderr."""
    errors.print(Text(f"arena: {message}"))


def print_json(document: Any) -> None:
    """Print one JSON document on stdout; what no terminal should see is written as an escape of JSON."""
    sys.stdout.write(json_text(document))


def json_text(document: Any) -> str:
    """Return a document as JSON that is safe on a terminal and means the same."""
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return _UNSEEN.sub(lambda found: _json_escape(found[0]), text) + "\n"


def _json_escape(character: str) -> str:
    return json.dumps(character)[1:-1] if ord(character) != 0x7F else "\\u007f"


def write_json(path: Path, document: Any) -> None:
    """Write one JSON document into a file; `-` is stdout, which it has for itself: tables go to stderr then."""
    if str(path) == "-":
        print_json(document)
        console.stderr = True
    else:
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")


def stdout_too(path: Path | None) -> Path | None:
    """Return a path that an option gives, stdout for `-`, where tables then go to stderr."""
    if str(path) != "-":
        return path
    console.stderr = True
    return Path("/dev/stdout")


def source_text(source: str) -> str:
    """Return a program for a terminal: what cannot be seen is written as Python writes it, as in backslash x1b."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    shown = "\n".join(_escaped(line.lstrip("\f")) for line in lines)
    return shown if shown.endswith("\n") else shown + "\n"


def _escaped(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return "".join(
        character if character == "\t" or clean_text(character) == character != "\n"
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in line
    )  # fmt: skip


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, as in '1 bot' and '2 bots'."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def print_table(
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Mapping[str, Any]],
    title: str = "",
    optional: Sequence[str] = (),
) -> None:
    """Print rows as a table; columns are (key, heading), numbers go to the right.

    A pipe gets every cell whole. Where a terminal is too narrow, the `optional` columns go, the last one first,
    and a line says which; then the names of the first text column are cut, never a number, never an id.
    """
    rows = [{key: cell(row.get(key), key) for key, _ in columns} | {"@": row} for row in rows]
    room = console.width if console.file.isatty() else None
    kept = list(columns) if room is None else fitting(columns, rows, optional, room)
    numeric = {key for key, _ in kept if _is_numeric([row["@"].get(key) for row in rows])}
    widths = column_widths(kept, rows, room)
    if title:
        console.print(title)
    console.print(_line(dict(kept), kept, widths, numeric), style="bold", soft_wrap=True)
    for row in rows:
        console.print(_line(row, kept, widths, numeric), soft_wrap=True)
    if not rows:
        complain("There is nothing to show yet.")
    gone = [heading for key, heading in columns if (key, heading) not in kept]
    if gone:
        complain(f"The terminal is too narrow for {', '.join(gone)}; --json or a pipe has all columns.")


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) for value in known)


def _line(
    row: Mapping[str, str], columns: Sequence[tuple[str, str]], widths: Mapping[str, int], numeric: set[str]
) -> str:
    cells = []
    for key, _ in columns:
        text, width = row[key], widths[key]
        if cell_len(text) > width:
            text = set_cell_size(text, width - 1).rstrip() + "…"
        room = " " * (width - cell_len(text))
        cells.append(room + text if key in numeric else text + room)
    return _GAP.join(cells).rstrip()


def column_widths(
    columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]], room: int | None
) -> dict[str, int]:
    """Return how wide each column is; where they do not fit, the widest column of words gives way."""
    widths = {key: _width(key, heading, rows) for key, heading in columns}
    words = [
        key for key, _ in columns
        if not key.endswith("id") and any(isinstance(row["@"].get(key), str | Mapping) for row in rows)
    ]  # fmt: skip
    while room is not None and words and _total(widths.values()) > room:
        widest = max(words, key=lambda key: widths[key])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def fitting(
    columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]], optional: Sequence[str], room: int
) -> list[tuple[str, str]]:
    """Return the columns that fit into so many places, without the last of the optional ones where need be."""
    kept, leaving = list(columns), list(optional)
    while leaving and _total(min(_width(*column, rows), _WIDEST.get(column[0], 99)) for column in kept) > room:
        gone = leaving.pop()
        kept = [column for column in kept if column[0] != gone]
    return kept


# Names may be long; they do not push out a column of figures.
_WIDEST = {"name": 30, "bot": 30, "last_error": 30, "positions": 40}


def _width(key: str, heading: str, rows: Sequence[Mapping[str, Any]]) -> int:
    return max(cell_len(heading), max((cell_len(row[key]) for row in rows), default=0))


def _total(widths: Iterable[int]) -> int:
    widths = list(widths)
    return sum(widths) + len(_GAP) * (len(widths) - 1)


# -- cells ------------------------------------------------------------------------------------------------------

_PRICES = frozenset({"price", "fill_price"})
_SIZES = frozenset({"size", "fill_size", "position_after", "interval", "fee_bps", "slippage_bps"})
_MOMENTS = frozenset({"time", "as_of", "admitted_at", "opened_at", "closed_at", "created_at", "updated_at"})


def cell(value: Any, key: str = "") -> str:
    """Return a value as a table cell or a line; `key` says what kind of number it is."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _number(value, key)
    if isinstance(value, Mapping):
        return ", ".join(f"{clean_text(str(name))} {cell(size, 'size')}" for name, size in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(cell(each) for each in value) or "-"
    return " ".join(clean_text(str(value)).split("\n"))


def _number(value: float, key: str) -> str:
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    if key in _MOMENTS:
        return moment(value)
    if key in _PRICES:
        return price(value)
    if key in _SIZES:
        return plain(value)
    text = f"{value:,.2f}"
    return "0.00" if text == "-0.00" else text


def plain(value: float, digits: int = 12) -> str:
    """Return a number as people write it: no exponent, no digits that only the binary form has."""
    if not math.isfinite(value):
        return str(value)
    text = format(Decimal(f"{value:.{digits}g}"), ",f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def price(value: float) -> str:
    """Return a price with two decimals, or with six figures where it is small."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size >= 1000 or size == 0:
        return f"{value:,.2f}"
    decimals = max(2, 5 - math.floor(math.log10(size)))
    text = f"{value:,.{decimals}f}"
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def moment(seconds: float) -> str:
    """Return Unix seconds as a time of UTC."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return plain(seconds)

"""How commands print: one document on stdout, messages on stderr, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """Print a message for the person on stderr."""
    errors.print(Text(f"arena: {message}"))


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_table(
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Mapping[str, Any]],
    title: str = "",
    optional: Sequence[str] = (),
) -> None:
    """Print rows as a table; columns are (key, heading), numbers go to the right.

    Where the terminal is too narrow, the `optional` columns go, the last one first.
    """
    rows = [{key: cell(row.get(key)) for key, _ in columns} | {"@": row} for row in rows]
    columns = _fitting(columns, rows, list(optional))
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for number, (key, heading) in enumerate(columns):
        numeric = all(isinstance(row["@"].get(key), int | float | None) for row in rows)
        right = numeric and bool(rows)
        keep = numeric or number == 0
        table.add_column(heading, justify="right" if right else "left", no_wrap=keep, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(row[key]) for key, _ in columns))
    console.print(table)


_WIDEST = 30


def _fitting(
    columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]], optional: list[str]
) -> list[tuple[str, str]]:
    kept = list(columns)

    def width(column: tuple[str, str]) -> int:
        longest = max((len(row[column[0]]) for row in rows), default=0)
        return min(max(longest, len(column[1])), _WIDEST) + 1

    while optional and sum(map(width, kept)) > console.width:
        gone = optional.pop()
        kept = [column for column in kept if column[0] != gone]
    return kept


def cell(value: Any) -> str:
    """Return a value as a table cell."""
    if value is None:
        return "-"
    if isinstance(value, float):
        text = f"{value:,.2f}"
        return "0.00" if text == "-0.00" else text
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {size:.6g}" for key, size in value.items()) or "-"
    return str(value)

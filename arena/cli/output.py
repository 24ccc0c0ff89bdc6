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
    columns: Sequence[tuple[str, str]], rows: Iterable[Mapping[str, Any]], title: str = ""
) -> None:
    """Print rows as a table; columns are (key, heading), numbers go to the right."""
    rows = list(rows)
    table = Table(
        title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False
    )
    for key, heading in columns:
        numeric = all(isinstance(row.get(key), int | float | None) for row in rows)
        table.add_column(heading, justify="right" if numeric and rows else "left", no_wrap=numeric)
    for row in rows:
        table.add_row(*(Text(cell(row.get(key))) for key, _ in columns))
    console.print(table)


def cell(value: Any) -> str:
    """Return a value as a table cell."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {size:.6g}" for key, size in value.items()) or "-"
    return str(value)

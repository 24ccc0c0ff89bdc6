"""Lists of the API as tables, CSV or Parquet, for whoever asks by `Accept`."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import orjson
from pydantic import BaseModel

from arena.web.text import json_bytes, whole
from arena.web.views import csv_line

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
Rows = list[dict[str, Any]]


def wanted_table(accept: str) -> str | None:
    """Return which table a request asks for, None for JSON."""
    asked = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return next((kind for kind in (PARQUET, CSV) if kind in asked), None)


def rows_of(document: Any) -> Rows | None:
    """Return the rows of a list of the API, None for what is no list; series by columns become a row a point."""
    if not isinstance(document, dict):
        return None
    if "ticks" in document and "times" in document:
        points = enumerate(zip(document["ticks"], document["times"], strict=True))
        return [
            {"tick": tick, "time": time, **{symbol: values[place] for symbol, values in document["prices"].items()}}
            for place, (tick, time) in points
        ]
    items = document.get("items")
    if not isinstance(items, list):
        return None
    if items and set(items[0]) == {"bot_id", "times", "equity"}:
        return [
            {"bot_id": one["bot_id"], "time": time, "equity": equity}
            for one in items
            for time, equity in zip(one["times"], one["equity"], strict=True)
        ]
    return items


def columns_of(model: type[BaseModel], rows: Rows) -> list[str]:
    """Return the columns of a table: those of its rows, or where there are none, those that a row would have."""
    if rows:
        return list(dict.fromkeys(name for row in rows for name in row))
    inner = getattr(model.model_fields.get("items"), "annotation", None)
    item = next(iter(getattr(inner, "__args__", ())), None)
    return list(item.model_fields) if isinstance(item, type) and issubclass(item, BaseModel) else ["empty"]


def table_bytes(kind: str, columns: list[str], rows: Rows) -> bytes:
    """Return rows as a file; what is no single value is written as JSON."""
    if kind == CSV:
        lines = (csv_line(_cell(row.get(name)) for name in columns) for row in rows)
        return (csv_line(columns) + "".join(lines)).encode("utf-8", "replace")
    import polars as pl

    made = {name: _column(row.get(name) for row in rows) for name in columns}
    out = io.BytesIO()
    pl.DataFrame(made, strict=False).write_parquet(out)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return json_bytes(value).decode() if isinstance(value, dict | list) else value


def _column(values: Iterable[Any]) -> list[Any]:
    """Return values of one kind: numbers stay numbers, a column of mixed kinds becomes text."""
    found = [whole(_cell(value)) for value in values]
    kinds = {type(value) for value in found if value is not None}
    if kinds <= {int, float, bool} and len(kinds - {int, float}) <= (0 if kinds & {int, float} else 1):
        return [float(value) if float in kinds and value is not None else value for value in found]
    if kinds <= {str}:
        return found
    return [None if value is None else orjson.dumps(value).decode() if not isinstance(value, str) else value
            for value in found]  # fmt: skip

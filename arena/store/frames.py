"""Rows of a table as a polars frame, for Parquet and CSV files; JSON columns stay texts."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from sqlalchemy import JSON, Boolean, Float, Integer
from sqlmodel import SQLModel

from arena.store.bulk import Row, table_of
from arena.store.json_text import to_json


def frame_of(model: type[SQLModel], rows: Sequence[Row]) -> pl.DataFrame:
    """Return rows of a model's table as a frame with its columns and types."""
    table = table_of(model)
    columns = []
    for column in table.c:
        values = [row[column.name] for row in rows]
        if isinstance(column.type, JSON):
            values = [None if value is None else to_json(value) for value in values]
        columns.append(pl.Series(column.name, values, dtype=_kind(column.type)))
    return pl.DataFrame(columns)


def _kind(sql: object) -> type[pl.DataType]:
    if isinstance(sql, Boolean):
        return pl.Boolean
    if isinstance(sql, Integer):
        return pl.Int64
    return pl.Float64 if isinstance(sql, Float) else pl.String

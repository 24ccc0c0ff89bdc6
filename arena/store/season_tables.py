"""A season's tables as they are downloaded: every row, in order, for CSV and Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, Engine, Float, Integer, func, select
from sqlmodel import SQLModel

from arena.core.text import clean_line
from arena.errors import TooLargeError
from arena.store import queries
from arena.store.bulk import Row, table_of
from arena.store.models import EquityRow, OrderRow, Tick, Trade

if TYPE_CHECKING:
    import polars as pl

TABLES: dict[str, type[SQLModel]] = {"trades": Trade, "orders": OrderRow, "equity": EquityRow, "ticks": Tick}
MAX_ROWS = 2_000_000  # of one table in memory
_BATCH = 5000
_BOARD = (
    "rank", "bot_id", "name", "author", "origin", "model", "status", "equity", "return_pct", "excess_pct", "verdict",
    "tie_first", "tie_last", "max_drawdown_pct", "sharpe", "periods", "trades", "rejected", "errors", "win_rate_pct",
    "turnover", "exposure_pct", "fees", "cash", "realized_pnl", "unrealized_pnl", "admitted_at",
)  # fmt: skip


def board_rows(engine: Engine, season_id: str) -> list[Row]:
    """Return the board, one row a bot, best first."""
    return [{name: row.get(name) for name in _BOARD} for row in queries.board(engine, season_id)]


def season_frame(engine: Engine, season_id: str, name: str) -> pl.DataFrame:
    """Return a table of a season as a frame; TooLargeError beyond two million rows. Texts are single, visible lines."""
    import polars as pl

    if name == "board":
        rows = [{key: _flat(value) for key, value in row.items()} for row in board_rows(engine, season_id)]
        texts = {"bot_id", "name", "author", "origin", "model", "status", "verdict"}
        whole = {"rank", "tie_first", "tie_last", "periods", "trades", "rejected", "errors"}
        schema = {key: pl.String if key in texts else pl.Int64 if key in whole else pl.Float64 for key in _BOARD}
        return pl.DataFrame(rows, schema=schema, orient="row", strict=False)
    table = table_of(TABLES[name])
    with engine.connect() as connection:
        count = connection.execute(
            select(func.count()).select_from(table).where(table.c.season_id == season_id)
        ).scalar_one()
    if count > MAX_ROWS:
        raise TooLargeError(
            f"The table has {count:,} rows, more than {MAX_ROWS:,}: read it from the database, or bot by bot."
        )
    columns = [column for column in table.c if column.name != "season_id"]
    schema = {column.name: _kind(column) for column in columns}
    frames = [
        pl.DataFrame({key: [_flat(row[key]) for row in rows] for key in schema}, schema=schema)
        for rows in _batches(engine, season_id, table, columns)
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def _batches(engine: Engine, season_id: str, table: Any, columns: list[Column[Any]]) -> Iterator[list[Any]]:
    order = table.c.n if "n" in table.c else table.c.id
    query = select(*columns).where(table.c.season_id == season_id).order_by(order)
    with engine.connect().execution_options(yield_per=_BATCH) as connection, connection.execute(query) as found:
        for rows in found.mappings().partitions():
            yield list(rows)


def _kind(column: Column[Any]) -> Any:
    import polars as pl

    kind = column.type
    if isinstance(kind, Boolean):
        return pl.Boolean
    if isinstance(kind, Integer):
        return pl.Int64
    return pl.Float64 if isinstance(kind, Float) else pl.String


def _flat(value: Any) -> Any:
    """Return a value as a cell: texts as one line, lists and objects as JSON."""
    if isinstance(value, dict | list):
        import orjson

        return orjson.dumps(value).decode()
    return clean_line(value, 32_767) if isinstance(value, str) else value

"""A season's tables as Parquet or CSV files, a bounded number of rows in memory at a time.

What was moved to files of the archive is in them as well, so that an export is of the whole season.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import JSON, Engine, func, select
from sqlmodel import SQLModel

from arena.core.text import csv_cell
from arena.errors import ArenaError, NotFoundError
from arena.store import queries
from arena.store.bulk import Row, table_of
from arena.store.models import (
    ArchivePart,
    BotTick,
    EntryNumber,
    EquityRow,
    EquityStored,
    LogRow,
    OrderRow,
    Season,
    Tick,
    TickRow,
    Trade,
)
from arena.store.moved import equity_batches, moved_until, row_batches, tick_batches

if TYPE_CHECKING:
    import polars as pl

Format = Literal["parquet", "csv"]
TABLES: dict[str, type[SQLModel]] = {
    "trades": Trade, "equity": EquityRow, "orders": OrderRow, "ticks": Tick, "bot_ticks": BotTick, "logs": LogRow,
}  # fmt: skip
_ROWS_AT_ONCE = 20_000
BOARD_TEXTS = ("bot_id", "name", "author", "origin", "model", "status", "verdict")
_BOARD_COUNTS = ("rank", "tie_first", "tie_last", "periods", "trades", "rejected", "errors")
_BOARD_FIGURES = (
    "equity", "return_pct", "excess_pct", "max_drawdown_pct", "sharpe", "win_rate_pct", "turnover", "exposure_pct",
    "fees", "cash", "realized_pnl", "unrealized_pnl", "admitted_at",
)  # fmt: skip


def count_rows(engine: Engine, season_id: str, name: str) -> int:
    """Return how many rows of a table a season has, in the database and in files."""
    parts, rows, entries, ticks, seasons = (
        table_of(each) for each in (ArchivePart, EquityStored, EntryNumber, TickRow, Season)
    )
    with engine.connect() as connection:
        moved = moved_until(connection, season_id, name)
        if name == "ticks":
            number = select(seasons.c.number).where(seasons.c.id == season_id).scalar_subquery()
            there = select(func.count()).select_from(ticks).where(ticks.c.season == number, ticks.c.n > moved)
        elif name == "equity":
            mine = select(entries.c.number).where(entries.c.season_id == season_id)
            there = select(func.count()).select_from(rows).where(rows.c.entry.in_(mine), rows.c.id > moved)
        else:
            table = table_of(TABLES[name])
            there = select(func.count()).select_from(table).where(table.c.season_id == season_id)
        kept = select(func.sum(parts.c.rows)).where(parts.c.season_id == season_id, parts.c.kind == name)
        return int(connection.execute(there).scalar_one()) + int(connection.execute(kept).scalar() or 0)


def batches(engine: Engine, season_id: str, name: str, size: int = _ROWS_AT_ONCE) -> Iterator[list[Row]]:
    """Yield a season's rows of a table in the order they were written, so many at a time."""
    if name == "ticks":
        return tick_batches(engine, season_id, size=size)
    if name == "equity":
        return equity_batches(engine, season_id, size=size)
    table = table_of(TABLES[name])
    return row_batches(engine, select(table).where(table.c.season_id == season_id).order_by(table.c.id), size)


def export_table(
    engine: Engine, season_id: str, name: str, path: Path, kind: Format, told: Callable[[int], None] = lambda _: None
) -> int:
    """Write one table of a season to a file; return how many rows. The file is there whole or not at all."""
    if name not in TABLES:
        raise NotFoundError(f"There is no table {name} to export; there are {', '.join(TABLES)}.")
    partial = path.with_name(path.name + ".partial")
    try:
        write = _write_csv if kind == "csv" else _write_parquet
        rows = write(engine, season_id, name, partial, told)
        partial.replace(path)
    except OSError as error:
        raise ArenaError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _frames(engine: Engine, season_id: str, name: str, told: Callable[[int], None]) -> Iterator[pl.DataFrame]:
    from arena.store.frames import frame_of

    for rows in batches(engine, season_id, name):
        yield frame_of(TABLES[name], rows)
        told(len(rows))


def _write_csv(engine: Engine, season_id: str, name: str, path: Path, told: Callable[[int], None]) -> int:
    import polars as pl

    from arena.store.frames import frame_of

    count, empty = 0, frame_of(TABLES[name], [])
    # JSON begins with a bracket, and may be longer than a cell of a spreadsheet.
    documents = {column.name for column in table_of(TABLES[name]).c if isinstance(column.type, JSON)}
    texts = [column for column, kind in empty.schema.items() if kind == pl.String and column not in documents]
    with path.open("wb") as file:
        empty.write_csv(file)
        for frame in _frames(engine, season_id, name, told):
            for_spreadsheets(frame, texts).write_csv(file, include_header=False)
            count += len(frame)
    return count


def _write_parquet(engine: Engine, season_id: str, name: str, path: Path, told: Callable[[int], None]) -> int:
    """Write pieces first: polars puts them together as a stream, but cannot add to a file."""
    import polars as pl

    from arena.store.frames import frame_of

    count = 0
    with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
        pieces: list[Path] = []
        for frame in _frames(engine, season_id, name, told):
            pieces.append(Path(folder) / f"{len(pieces):06}.parquet")
            frame.write_parquet(pieces[-1], compression="lz4", statistics=False)
            count += len(frame)
        if pieces:
            pl.scan_parquet(pieces).sink_parquet(path, compression="zstd")
        else:
            frame_of(TABLES[name], []).write_parquet(path, compression="zstd")
    return count


def for_spreadsheets(frame: pl.DataFrame, texts: Iterable[str]) -> pl.DataFrame:
    """Return a frame whose texts in these columns are single, visible lines that no spreadsheet runs as a formula."""
    import polars as pl

    return frame.with_columns(
        pl.Series(name, [None if text is None else csv_cell(text) for text in frame[name]], dtype=pl.String)
        for name in texts
    )


def board_frame(engine: Engine, season_id: str) -> pl.DataFrame:
    """Return the board of a season, one row a bot, best first."""
    import polars as pl

    kinds = dict.fromkeys(_BOARD_COUNTS, pl.Int64) | dict.fromkeys(_BOARD_FIGURES, pl.Float64)
    schema = {"rank": pl.Int64, **dict.fromkeys(BOARD_TEXTS, pl.String), **kinds}
    rows = [{key: row.get(key) for key in schema} for row in queries.board(engine, season_id)]
    return pl.DataFrame(rows, schema=schema, orient="row", strict=False)

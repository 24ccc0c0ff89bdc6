"""All writes of the tick engine: one transaction a tick, Core-level bulk inserts.

The recorder has one user, the engine's thread. What it has written is what the page shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, LargeBinary, Table, cast, delete, func, insert, select, update
from sqlalchemy.sql.expression import bindparam
from sqlmodel import SQLModel

from arena.store.models import (
    BotTick,
    Entry,
    EquityRow,
    LogRow,
    OrderRow,
    Standing,
    Tick,
    Trade,
)

Row = dict[str, Any]

LOG_RING_BYTES = 1024 * 1024


@dataclass(slots=True)
class TickWrites:
    """Everything one tick adds to the database."""

    tick: Row | None = None
    orders: list[Row] = field(default_factory=list)
    order_ends: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    equity: list[Row] = field(default_factory=list)
    standings: list[Row] = field(default_factory=list)
    bot_ticks: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)


def table_of(model: type[SQLModel]) -> Table:
    """Return a model's Core table."""
    return model.__table__  # type: ignore[attr-defined,no-any-return]


class Recorder:
    """Writes ticks; nothing else writes what a tick owns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._log_bytes: dict[tuple[str, str], int] = {}
        with engine.connect() as connection:
            self._order_id = connection.execute(select(func.max(OrderRow.id))).scalar() or 0
            self._trade_id = connection.execute(select(func.max(Trade.id))).scalar() or 0

    def next_order_id(self) -> int:
        """Return a fresh order id; ids are given out here so that an order can be ended later."""
        self._order_id += 1
        return self._order_id

    def next_trade_id(self) -> int:
        """Return a fresh trade id, so that a published trade carries the id of its row."""
        self._trade_id += 1
        return self._trade_id

    def record(self, writes: TickWrites) -> None:
        """Write one tick in one transaction; nothing of it is there if this raises."""
        with self._engine.begin() as connection:
            if writes.tick is not None:
                connection.execute(insert(table_of(Tick)), writes.tick)
            for model, rows in (
                (OrderRow, writes.orders),
                (Trade, writes.trades),
                (EquityRow, writes.equity),
                (BotTick, writes.bot_ticks),
                (LogRow, writes.logs),
            ):
                if rows:
                    connection.execute(insert(table_of(model)), rows)
            self._end_orders(connection, writes.order_ends)
            self._update(connection, Entry, writes.entries)
            self._upsert_standings(connection, writes.standings)
            self._bound_logs(connection, writes.logs)

    @staticmethod
    def _end_orders(connection: Connection, ends: Sequence[Row]) -> None:
        if not ends:
            return
        table = table_of(OrderRow)
        changed = ("status", "reason", "fill_time", "fill_price", "fill_size")
        statement = (
            update(table)
            .where(table.c.id == bindparam("order_id"))
            .values({name: bindparam(f"new_{name}") for name in changed})
        )
        rows = [{"order_id": end["id"], **{f"new_{name}": end.get(name) for name in changed}} for end in ends]
        connection.execute(statement, rows)

    @staticmethod
    def _update(connection: Connection, model: type[SQLModel], rows: Sequence[Row]) -> None:
        """Update rows by their (season_id, bot_id); each row may set other columns."""
        table = table_of(model)
        for row in rows:
            keys = {"season_id": row["season_id"], "bot_id": row["bot_id"]}
            values = {name: value for name, value in row.items() if name not in keys}
            statement = update(table).where(table.c.season_id == keys["season_id"], table.c.bot_id == keys["bot_id"])
            connection.execute(statement.values(values))

    @staticmethod
    def _upsert_standings(connection: Connection, rows: Sequence[Row]) -> None:
        if not rows:
            return
        table = table_of(Standing)
        keys = [(row["season_id"], row["bot_id"]) for row in rows]
        present = {
            tuple(key)
            for key in connection.execute(
                select(table.c.season_id, table.c.bot_id).where(table.c.season_id == keys[0][0])
            )
        }
        fresh = [row for row, key in zip(rows, keys, strict=True) if key not in present]
        known = [row for row, key in zip(rows, keys, strict=True) if key in present]
        if fresh:
            connection.execute(insert(table), fresh)
        if known:
            columns = [name for name in known[0] if name not in {"season_id", "bot_id"}]
            statement = (
                update(table)
                .where(
                    table.c.season_id == bindparam("key_season"),
                    table.c.bot_id == bindparam("key_bot"),
                )
                .values({name: bindparam(f"new_{name}") for name in columns})
            )
            connection.execute(statement, [
                {"key_season": row["season_id"], "key_bot": row["bot_id"],
                 **{f"new_{name}": row[name] for name in columns}}
                for row in known
            ])  # fmt: skip

    def _bound_logs(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Keep each bot's log a ring of 1 MiB: drop the older half once it has grown past that."""
        for row in rows:
            key = (row["season_id"], row["bot_id"])
            size = self._log_bytes.get(key)
            if size is None:
                size = self._measure_log(connection, key)
            size += len(row["message"].encode()) + 32
            if size > LOG_RING_BYTES:
                self._drop_older_half(connection, key)
                size = self._measure_log(connection, key)
            self._log_bytes[key] = size

    @staticmethod
    def _measure_log(connection: Connection, key: tuple[str, str]) -> int:
        table = table_of(LogRow)
        message = table.c.message
        sqlite = connection.dialect.name == "sqlite"
        length = func.length(cast(message, LargeBinary)) if sqlite else func.octet_length(message)
        size = func.coalesce(func.sum(length + 32), 0)
        where = (table.c.season_id == key[0], table.c.bot_id == key[1])
        return int(connection.execute(select(size).where(*where)).scalar() or 0)

    @staticmethod
    def _drop_older_half(connection: Connection, key: tuple[str, str]) -> None:
        table = table_of(LogRow)
        where = (table.c.season_id == key[0], table.c.bot_id == key[1])
        first, last = connection.execute(select(func.min(table.c.id), func.max(table.c.id)).where(*where)).one()
        middle = first + (last - first) // 2
        connection.execute(delete(table).where(*where, table.c.id < middle))


def insert_rows(connection: Connection, model: type[SQLModel], rows: Sequence[Row]) -> None:
    """Insert rows in bulk."""
    if rows:
        connection.execute(insert(table_of(model)), list(rows))

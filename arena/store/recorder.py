"""All writes of the tick engine: one transaction a tick, Core-level bulk inserts.

The recorder has one user, the engine's thread. What it has written is what the page shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, LargeBinary, cast, delete, func, select, tuple_

from arena.store.bulk import Row, insert_rows, table_of, update_rows, upsert_rows
from arena.store.models import (
    BoardSummary,
    BotTick,
    Entry,
    LogRow,
    OrderRow,
    ScorePoint,
    Standing,
    Tick,
    Trade,
)
from arena.store.packed import Packer

LOG_RING_BYTES = 1024 * 1024


@dataclass(slots=True)
class TickWrites:
    """Everything one tick adds to the database."""

    tick: Row | None = None
    orders: list[Row] = field(default_factory=list)
    order_ends: list[Row] = field(default_factory=list)
    orders_dropped: list[int] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    equity: list[Row] = field(default_factory=list)
    standings: list[Row] = field(default_factory=list)
    score_points: list[Row] = field(default_factory=list)
    summary: list[Row] = field(default_factory=list)
    bot_ticks: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)


_KEYS = ("season_id", "bot_id")
_KEYS_A_QUERY = 400  # SQLite takes so many parameters only


class Recorder:
    """Writes ticks; nothing else writes what a tick owns."""

    def __init__(self, engine: Engine, log_bytes: int = LOG_RING_BYTES) -> None:
        self._engine, self._log_limit = engine, log_bytes
        self._packer = Packer()
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

    def record(self, *batch: TickWrites) -> None:
        """Write ticks, in order, in one transaction; nothing of them is there if this raises."""
        try:
            self._write(batch)
        except BaseException:
            # Numbers that were given out in it may be gone with it.
            self._packer.forget()
            raise

    def _write(self, batch: Sequence[TickWrites]) -> None:
        writes = batch[0] if len(batch) == 1 else _joined(batch)
        with self._engine.begin() as connection:
            self._packer.insert_ticks(connection, [each.tick for each in batch if each.tick is not None])
            self._packer.insert_equity(connection, writes.equity)
            for model, rows in (
                (OrderRow, writes.orders),
                (Trade, writes.trades),
                (BotTick, writes.bot_ticks),
                (LogRow, writes.logs),
                (ScorePoint, writes.score_points),
            ):
                insert_rows(connection, model, rows)
            self._end_orders(connection, writes.order_ends)
            self._drop_orders(connection, writes.orders_dropped)
            self._update_entries(connection, writes.entries)
            self._upsert_standings(connection, writes.standings)
            upsert_rows(connection, BoardSummary, ("season_id",), writes.summary)
            self._bound_logs(connection, writes.logs)

    def holds(self, writes: TickWrites) -> bool:
        """Say whether this tick is there already."""
        if writes.tick is None:
            return False
        table = table_of(Tick)
        with self._engine.connect() as connection:
            query = select(table.c.time).where(
                table.c.season_id == writes.tick["season_id"], table.c.n == writes.tick["n"]
            )
            return bool(connection.execute(query).scalar() == writes.tick["time"])

    @staticmethod
    def _end_orders(connection: Connection, ends: Sequence[Row]) -> None:
        changed = ("status", "reason", "fill_time", "fill_price", "fill_size")
        rows = [{"id": end["id"], **{name: end.get(name) for name in changed}} for end in ends]
        update_rows(connection, OrderRow, ("id",), rows)

    @staticmethod
    def _drop_orders(connection: Connection, numbers: Sequence[int]) -> None:
        """Take out orders that were rejected beyond their day's allowance; they are counted elsewhere."""
        table = table_of(OrderRow)
        for first in range(0, len(numbers), _KEYS_A_QUERY):
            connection.execute(delete(table).where(table.c.id.in_(numbers[first : first + _KEYS_A_QUERY])))

    @staticmethod
    def _update_entries(connection: Connection, rows: Sequence[Row]) -> None:
        """Update entries; each row may set other columns, and rows that set the same go together."""
        kinds: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            kinds.setdefault(tuple(row), []).append(row)
        for same in kinds.values():
            update_rows(connection, Entry, _KEYS, same)

    @staticmethod
    def _upsert_standings(connection: Connection, rows: Sequence[Row]) -> None:
        upsert_rows(connection, Standing, _KEYS, [_storable(row) for row in rows])

    def _bound_logs(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Keep each bot's log a ring, of 1 MiB as a rule: drop the older half once it has grown past that."""
        grown: dict[tuple[str, str], int] = {}
        for row in rows:
            key = (row["season_id"], row["bot_id"])
            grown[key] = grown.get(key, 0) + len(row["message"].encode()) + 32
        unknown = [key for key in grown if key not in self._log_bytes]
        # Counted after these rows went in, so they are in it.
        sizes = {key: self._log_bytes[key] + more for key, more in grown.items() if key in self._log_bytes}
        sizes.update(_measure_logs(connection, unknown))
        full = [key for key, size in sizes.items() if size > self._log_limit]
        for key in full:
            _drop_older_half(connection, key)
        self._log_bytes.update(sizes)
        self._log_bytes.update(_measure_logs(connection, full))


def _joined(batch: Sequence[TickWrites]) -> TickWrites:
    """Return what many ticks add together; of what each of them overwrites the last one counts."""
    found = TickWrites(tick=batch[-1].tick)
    ends: dict[int, Row] = {}
    entries: dict[tuple[str, str], Row] = {}
    for writes in batch:
        found.orders += writes.orders
        found.orders_dropped += writes.orders_dropped
        found.trades += writes.trades
        found.equity += writes.equity
        found.score_points += writes.score_points
        found.bot_ticks += writes.bot_ticks
        found.logs += writes.logs
        ends.update((end["id"], end) for end in writes.order_ends)
        for row in writes.entries:
            entries.setdefault((row["season_id"], row["bot_id"]), {}).update(row)
        if writes.summary:
            found.summary, found.standings = writes.summary, found.standings + writes.standings
    latest = {(row["season_id"], row["bot_id"]): row for row in found.standings}
    found.standings, found.entries = list(latest.values()), list(entries.values())
    # An order that is made and ended in one batch is written as it has ended.
    made = {row["id"]: row for row in found.orders}
    found.order_ends = [end for number, end in ends.items() if number not in made]
    blank = dict.fromkeys(("reason", "fill_time", "fill_price", "fill_size"))
    for number, row in made.items():
        if number in ends:
            row.update({**blank, **ends[number]})
    dropped = set(found.orders_dropped)
    found.orders = [row for row in found.orders if row["id"] not in dropped]
    return found


def _storable(row: Row) -> Row:
    """Return a standing that JSON can hold; a score that has seen no tick has no peak, as by default."""
    score = row["score"]
    if score.get("peak") != -math.inf:
        return row
    return {**row, "score": {name: value for name, value in score.items() if name != "peak"}}


def _measure_logs(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the bytes of each bot's log."""
    table = table_of(LogRow)
    sqlite = connection.dialect.name == "sqlite"
    length = func.length(cast(table.c.message, LargeBinary)) if sqlite else func.octet_length(table.c.message)
    found: dict[tuple[str, str], int] = {}
    for first in range(0, len(keys), _KEYS_A_QUERY):
        some = keys[first : first + _KEYS_A_QUERY]
        query = (
            select(table.c.season_id, table.c.bot_id, func.sum(length + 32))
            .where(tuple_(table.c.season_id, table.c.bot_id).in_(some))
            .group_by(table.c.season_id, table.c.bot_id)
        )
        found.update(((season, bot), int(size)) for season, bot, size in connection.execute(query))
    return found


def _drop_older_half(connection: Connection, key: tuple[str, str]) -> None:
    table = table_of(LogRow)
    where = (table.c.season_id == key[0], table.c.bot_id == key[1])
    first, last = connection.execute(select(func.min(table.c.id), func.max(table.c.id)).where(*where)).one()
    middle = first + (last - first) // 2
    connection.execute(delete(table).where(*where, table.c.id < middle))

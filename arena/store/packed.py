"""Ticks and equity as they are stored: short numbers in place of ids and names, prices without their symbols.

`ticks` and `equity` are views that put them together again; `benchmarks/bench_storage.py` measures what it saves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, insert, select

from arena.errors import StoreError
from arena.store.bulk import Row, insert_rows, table_of, write_view_by
from arena.store.json_text import to_json
from arena.store.models import EntryNumber, EquityRow, EquityStored, Season, SymbolSet, Tick, TickRow
from arena.store.rollups import roll_up

_SETS, _ENTRIES, _SEASONS = table_of(SymbolSet), table_of(EntryNumber), table_of(Season)
_SET = select(_SETS.c.number).where(_SETS.c.symbols == bindparam("symbols"))
_ENTRY = select(_ENTRIES.c.number).where(
    _ENTRIES.c.season_id == bindparam("season"), _ENTRIES.c.bot_id == bindparam("bot")
)
_SEASON = select(_SEASONS.c.number, _SEASONS.c.interval).where(_SEASONS.c.id == bindparam("season"))
_NUMBERS_KEPT = 10_000  # symbol sets of a market whose symbols come and go


class _SeasonFacts(NamedTuple):
    number: int
    interval: float


class Packer:
    """Writes ticks and equity; knows the numbers it has met, so that the next tick asks for none.

    After a transaction that failed, `forget` what was numbered in it.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Ask the database for every number again."""
        self._seasons: dict[str, _SeasonFacts] = {}
        self._entries: dict[tuple[str, str], int] = {}
        self._sets: dict[tuple[str, ...], int] = {}

    def insert_ticks(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert ticks."""
        insert_rows(connection, TickRow, [
            {
                "time": row["time"], "season": self.season(connection, row["season_id"]).number, "n": row["n"],
                "symbols": self._symbols(connection, row["prices"]),
                "prices": orjson.dumps(list(row["prices"].values())).decode(), "conditions": row.get("conditions"),
            }
            for row in rows
        ])  # fmt: skip

    def insert_equity(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert equity rows, which have their roll-ups from the same transaction on."""
        if not rows:
            return
        same = ("id", "time", "equity", "realized_pnl", "unrealized_pnl", "cash", "tick")
        names = [name for name in same if name in rows[0]]
        stored = [{**{name: row[name] for name in names}, "entry": self._entry(connection, row)} for row in rows]
        insert_rows(connection, EquityStored, stored)
        by_interval: dict[float, list[Row]] = {}
        for row, given in zip(stored, rows, strict=True):
            by_interval.setdefault(self.season(connection, given["season_id"]).interval, []).append(row)
        for interval, some in by_interval.items():
            roll_up(connection, some, interval)

    def season(self, connection: Connection, season_id: str) -> _SeasonFacts:
        """Return a season's number and interval."""
        found = self._seasons.get(season_id)
        if found is None:
            row = connection.execute(_SEASON, {"season": season_id}).first()
            if row is None:
                raise StoreError(f"There is no season {season_id}.")
            found = self._seasons[season_id] = _SeasonFacts(*row)
        return found

    def _entry(self, connection: Connection, row: Row) -> int:
        key = row["season_id"], row["bot_id"]
        found = self._entries.get(key)
        if found is None:
            known = connection.execute(_ENTRY, {"season": key[0], "bot": key[1]}).scalar()
            if known is None:
                fresh = {name: row[name] for name in ("season_id", "bot_id", "bot_name")}
                known = connection.execute(insert(_ENTRIES).returning(_ENTRIES.c.number), fresh).scalar_one()
            found = self._entries[key] = int(known)
        return found

    def _symbols(self, connection: Connection, symbols: Iterable[str]) -> int:
        key = tuple(symbols)
        found = self._sets.get(key)
        if found is None:
            text = to_json(list(key))
            known = connection.execute(_SET, {"symbols": text}).scalar()
            if known is None:
                known = connection.execute(insert(_SETS).returning(_SETS.c.number), {"symbols": text}).scalar_one()
            if len(self._sets) >= _NUMBERS_KEPT:
                self._sets.clear()
            found = self._sets[key] = int(known)
        return found


write_view_by(Tick, lambda connection, rows: Packer().insert_ticks(connection, rows))
write_view_by(EquityRow, lambda connection, rows: Packer().insert_equity(connection, rows))

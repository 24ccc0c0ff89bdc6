"""What a bundle from a stranger must look like before anything is run with it.

Sizes are bounded before they are read, every row has the columns and the types of its table, and every number
that something is counted up to lies within the recorded ticks. ValueError says in words what does not hold.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Collection
from typing import Any

from sqlalchemy import JSON, Column, Table, TypeDecorator
from sqlmodel import SQLModel

from arena.core.exchange import MAX_DELAY_TICKS
from arena.core.text import NAME_LIMIT, clean_line, clean_name
from arena.store.bulk import Row, table_of
from arena.store.models import Bot, Entry, Season

# Ten times what a week of ticks of one second weighs.
MAX_BYTES = 1 << 30
MAX_MANIFEST = 1 << 20
MAX_MEMBERS = 16
MAX_SOURCE = 1 << 20
MAX_SYMBOLS = 1000
MAX_CELLS = 50_000_000  # prices of all symbols at all ticks
MAX_LIVES = 1000  # workers a bot may have had
_WIDE = 2**62
_LOADED = re.compile(r"loaded after tick (-?\d{1,18})")


def bounded_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name, where there are few and they do not unpack to too much."""
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise ValueError(f"it has {len(infos)} members; a bundle has at most {MAX_MEMBERS}")
    if sum(info.file_size for info in infos) > MAX_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_BYTES >> 20} MiB")
    return {info.filename: info for info in infos}


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int = MAX_BYTES) -> bytes:
    """Return a member's bytes; what its directory says of its size is not believed."""
    with archive.open(info) as file:
        data = file.read(min(info.file_size, limit) + 1)
    if len(data) > min(info.file_size, limit):
        raise ValueError(f"{clean_line(info.filename, 80)} is larger than it may be")
    return data


def check_facts(season: Any, bot: Any, entry: Any) -> None:
    """Check the manifest's parts, and clean every text in them."""
    for model, row in ((Season, season), (Bot, bot), (Entry, entry)):
        _check_row(table_of(model), row, skip={"source"})
    name = entry["bot_name"]
    if not name or clean_name(name) != name or len(name) > 2 * NAME_LIMIT:
        raise ValueError("the bot's name cannot be right")
    for row in (season, bot, entry):
        for name, value in row.items():
            if isinstance(value, str):
                row[name] = clean_line(value)
    if not (season["starting_cash"] > 0 and season["interval"] > 0):
        raise ValueError("the season's cash and interval must be above 0")
    _check_rules(season)
    runtime = season["runtime"].items()
    season["runtime"] = {clean_line(str(key), 40): clean_line(str(value), 80) for key, value in runtime}
    seed = bot.get("seed")
    if not (isinstance(seed, str) and re.fullmatch(r"\d{1,20}", seed) and int(seed) < 2**64):
        raise ValueError("the bot's seed is missing")
    if entry["orders_count"] < 0 or entry["admitted_tick"] < 0:
        raise ValueError("the entry's counts cannot be negative")


def _check_rules(season: Row) -> None:
    if not (0 <= season["fee_bps"] <= 1000 and 0 <= season["slippage_bps"] <= 1000 and season["fills_a_day"] >= 0):
        raise ValueError("the season's rules cannot be right")
    if not 1 <= season["delay_ticks"] <= MAX_DELAY_TICKS:
        raise ValueError("the season's delay in ticks cannot be right")


def check_lists(lists: dict[str, list[Any]], models: dict[str, type[SQLModel]]) -> None:
    """Check every row of every list."""
    for name, rows in lists.items():
        table = table_of(models[name])
        for number, row in enumerate(rows, 1):
            try:
                _check_row(table, row)
            except ValueError as error:
                raise ValueError(f"{name}, line {number}: {error}") from None
    ticks = lists["ticks"]
    _check_ticks(ticks)
    if any(row["n"] != ticks[0]["n"] + place for place, row in enumerate(ticks)) or (ticks and ticks[0]["n"] < 0):
        return  # Ticks are missing, which the proof says itself before it counts anything.
    last = ticks[-1]["n"] if ticks else -1
    for name in ("orders", "trades", "equity"):
        if any(not 0 <= row["tick"] <= last for row in lists[name]):
            raise ValueError(f"{name} have rows outside the recorded ticks")
    _check_events(lists["events"], last)


def _check_ticks(ticks: list[Row]) -> None:
    symbols: set[str] = set()
    before = -math.inf
    for row in ticks:
        prices, conditions = row["prices"], row["conditions"] or {}
        ended = conditions.get("ended", {})
        barred = conditions.get("barred", {})
        if {type(ended), type(barred)} != {dict}:
            raise ValueError(f"the conditions of tick {row['n']} cannot be right")
        numbers = [*prices.values(), *(price for price in ended.values() if price is not None)]
        if not all(_is_number(value) and value >= 0 for value in numbers):
            raise ValueError(f"a price of tick {row['n']} is not a number of at least 0")
        if not all(isinstance(reason, str) for reason in barred.values()):
            raise ValueError(f"the conditions of tick {row['n']} cannot be right")
        if row["time"] < before:
            raise ValueError(f"tick {row['n']} is earlier than the one before it")
        before = row["time"]
        symbols.update(prices)
        if len(symbols) > MAX_SYMBOLS or len(symbols) * len(ticks) > MAX_CELLS:
            raise ValueError("its market is too large")


def _check_events(events: list[Row], last: int) -> None:
    lives = 0
    for row in events:
        if not 0 <= row["tick"] <= last + 1:
            raise ValueError("an event lies outside the recorded ticks")
        if row["event"] in {"start", "restarted"}:
            lives += 1
            loaded = _LOADED.fullmatch(row["detail"])
            if loaded is None or not -1 <= int(loaded[1]) < row["tick"]:
                raise ValueError(f"the {row['event']} at tick {row['tick']} does not say what it was loaded after")
    if lives > MAX_LIVES:
        raise ValueError("the bot has been started too often")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _WIDE


def _kind(column: Column[Any]) -> type:
    """Return what a column's value is in JSON; SQLAlchemy says `object` of some."""
    if isinstance(column.type, JSON):
        return list if column.name == "symbols" else dict
    return str if isinstance(column.type, TypeDecorator) else column.type.python_type


def _check_row(table: Table, row: Any, skip: Collection[str] = ()) -> None:
    if not isinstance(row, dict):
        raise ValueError("not a record")  # noqa: TRY004 - what a stranger writes wrong is one kind of error here
    for column in table.c:
        if column.name in skip:
            continue
        if column.name not in row:
            raise ValueError(f"{column.name} is missing")
        value, kind = row[column.name], _kind(column)
        if value is None and column.nullable:
            continue
        if kind is float:
            held = _is_number(value) and math.isfinite(value)
        elif kind is int:
            held = type(value) is int and abs(value) < _WIDE
        else:
            held = isinstance(value, kind)
        if not held:
            raise ValueError(f"{column.name} cannot be {clean_line(repr(value), 60)}")

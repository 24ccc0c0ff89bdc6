"""Everything it takes to prove one bot's record again, elsewhere: read from the tables, kept in a file.

The file is a ZIP: `manifest.json` with the facts and the SHA-256 of every other member, `bot.py`, and
ticks, events, orders, trades and equity as lines of JSON (floats by their shortest exact text).
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson
from sqlalchemy import Engine, func, select
from sqlmodel import SQLModel

from arena.core.seeds import seed_of
from arena.core.text import clean_line
from arena.errors import NotFoundError, StoreError, TooLargeError
from arena.store.bulk import Row, table_of
from arena.store.bundle_check import (
    MAX_BYTES,
    MAX_MANIFEST,
    MAX_SOURCE,
    bounded_members,
    check_facts,
    check_lists,
    read_member,
)
from arena.store.models import Bot, BotTick, Entry, EquityRow, OrderRow, Season, Tick, Trade
from arena.store.moved import equity_batches, row_batches, tick_batches
from arena.store.queries import tick_span
from arena.store.seasons import season_seeds

FORMAT = 2
_BATCH = 500  # rows in memory at a time
_LEVEL = 3  # twice as quick as the usual level, and a tenth larger
_LISTS: dict[str, type[SQLModel]] = {
    "ticks": Tick, "events": BotTick, "orders": OrderRow, "trades": Trade, "equity": EquityRow,
}  # fmt: skip


@dataclass(slots=True)
class Bundle:
    """One bot's part in one season, up to the last recorded tick: facts, source, and rows in order."""

    version: str
    season: Row
    bot: Row
    entry: Row
    source: str
    ticks: list[Row]
    events: list[Row]
    orders: list[Row]
    trades: list[Row]
    equity: list[Row]

    @property
    def last(self) -> int:
        """Return the number of the last tick, -1 if there is none."""
        return int(self.ticks[-1]["n"]) if self.ticks else -1


def read_bundle(engine: Engine, season_id: str, bot_id: str, version: str) -> Bundle:
    """Return a bot's bundle as of the last tick; NotFoundError if it is not in the season.

    The season may be running: what is read first bounds what is read after.
    """
    facts = _facts(engine, season_id, bot_id)
    lists = {name: [row for rows in facts.batches(engine, name) for row in rows] for name in _LISTS}
    return Bundle(version, facts.season, facts.bot, facts.entry, facts.source, **lists)


@dataclass(slots=True)
class _Facts:
    """What a bundle holds beside its lists, and from which tick to which those go."""

    season: Row
    bot: Row
    entry: Row
    source: str
    first: int
    last: int

    def batches(self, engine: Engine, name: str) -> Iterator[list[Row]]:
        """Yield the rows of one list, in order, so many at a time."""
        model = _LISTS[name]
        if model is Tick:
            yield from tick_batches(engine, self.season["id"], self.first, self.last, size=_BATCH)
        elif model is EquityRow:
            yield from equity_batches(engine, self.season["id"], self.bot["id"], self.last, size=_BATCH)
        else:
            table = table_of(model)
            mine = table.c.season_id == self.season["id"], table.c.bot_id == self.bot["id"], table.c.tick <= self.last
            yield from row_batches(engine, select(table).where(*mine).order_by(table.c.id), _BATCH)


def _facts(engine: Engine, season_id: str, bot_id: str) -> _Facts:
    entry = _one(engine, Entry, season_id=season_id, bot_id=bot_id)
    bot, season = _one(engine, Bot, id=bot_id), _one(engine, Season, id=season_id)
    with engine.connect() as connection:
        _, last = tick_span(connection, season_id)
    # Its own seed only: it tells its draws, which source and ticks tell anybody already, and nothing of the season's.
    chance = season_seeds(engine, season_id).chance
    bot["seed"] = str(seed_of(chance, bot["name"], bot["source_hash"]))
    source = bot.pop("source")
    return _Facts(season, bot, entry, source, first_tick(int(entry["admitted_tick"])), -1 if last is None else last)


def copy_bundle(engine: Engine, season_id: str, bot_id: str, version: str, file: IO[bytes], limit: int) -> None:
    """Write the file of `read_bundle` with a few rows in memory at a time.

    TooLargeError as soon as the file has more than `limit` bytes.
    """
    facts, hashes = _facts(engine, season_id, bot_id), {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in ("bot.py", *(f"{name}.jsonl" for name in _LISTS)):
            digest = hashlib.sha256()
            with archive.open(name, "w", force_zip64=True) as member, closing(_pieces(engine, facts, name)) as pieces:
                for data in pieces:
                    digest.update(data)
                    member.write(data)
                    if file.tell() > limit:
                        raise TooLargeError(f"The bundle is larger than {limit // 2**20:,} MiB.")
            hashes[name] = digest.hexdigest()
        manifest = _manifest(version, facts.season, facts.bot, facts.entry, hashes)
        archive.writestr("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


def _pieces(engine: Engine, facts: _Facts, member: str) -> Generator[bytes, None, None]:
    if member == "bot.py":
        yield facts.source.encode()
        return
    for rows in facts.batches(engine, member.removesuffix(".jsonl")):
        yield b"".join([orjson.dumps(row) + b"\n" for row in rows])


def rows_of(engine: Engine, season_id: str, bot_id: str) -> int:
    """Return how many ticks and orders a bot's bundle has, which is what a proof takes memory for."""
    facts, orders = _facts(engine, season_id, bot_id), table_of(OrderRow)
    where = orders.c.season_id == season_id, orders.c.bot_id == bot_id
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(orders).where(*where)).scalar_one()
    return facts.last - facts.first + 1 + int(count)


def first_tick(admitted: int) -> int:
    """Return the first tick that a proof needs: one before the ten that the bot came in at."""
    return max(0, (admitted - 1) // 10 * 10 - 1)


def _one(engine: Engine, model: type[SQLModel], **keys: str) -> Row:
    table = table_of(model)
    with engine.connect() as connection:
        query = select(table).where(*(table.c[name] == value for name, value in keys.items()))
        found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFoundError("There is no such bot in this season.")
    return dict(found)


def write_bundle(bundle: Bundle, file: Path | IO[bytes]) -> None:
    """Write a bundle as a ZIP file."""
    members = {"bot.py": bundle.source.encode()}
    for name in _LISTS:
        members[f"{name}.jsonl"] = b"".join(orjson.dumps(row) + b"\n" for row in getattr(bundle, name))
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    manifest = _manifest(bundle.version, bundle.season, bundle.bot, bundle.entry, hashes)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        for name, data in members.items():
            archive.writestr(name, data)


def _manifest(version: str, season: Row, bot: Row, entry: Row, hashes: dict[str, str]) -> Row:
    return {"format": FORMAT, "arena": version, "season": season, "bot": bot, "entry": entry, "sha256": hashes}


def open_bundle(path: Path) -> Bundle:
    """Read a bundle from a file; StoreError where it is none or one of its members was changed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_file(archive)
    except KeyError as error:
        raise StoreError(f"{path} is not a bundle of `arena export`: {error} is missing.") from error
    except _NO_BUNDLE as error:
        words = clean_line(str(error)).rstrip(".")
        raise StoreError(f"{path} is not a bundle of `arena export`: {words}.") from error


# What a broken or hostile ZIP file raises: other compressions, passwords and cut ends among it.
_NO_BUNDLE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, OverflowError, MemoryError,
    AttributeError, TypeError, ValueError,
)  # fmt: skip


def _read_file(archive: zipfile.ZipFile) -> Bundle:
    infos = bounded_members(archive)
    manifest = orjson.loads(read_member(archive, infos["manifest.json"], MAX_MANIFEST))
    names = ["bot.py", *(f"{name}.jsonl" for name in _LISTS)]
    members = {name: read_member(archive, infos[name], MAX_SOURCE if name == "bot.py" else MAX_BYTES) for name in names}
    for name, data in members.items():
        if hashlib.sha256(data).hexdigest() != manifest["sha256"][name]:
            raise ValueError(f"{name} is not what the manifest says, its SHA-256 differs")
    season, bot, entry = manifest["season"], manifest["bot"], manifest["entry"]
    if manifest["format"] == 1:
        _take_first_format(season, bot, entry)
    check_facts(season, bot, entry)
    lists = {name: [orjson.loads(line) for line in members[f"{name}.jsonl"].splitlines()] for name in _LISTS}
    check_lists(lists, _LISTS)
    return Bundle(clean_line(str(manifest["arena"]), 80), season, bot, entry, members["bot.py"].decode(), **lists)


def _take_first_format(season: Row, bot: Row, entry: Row) -> None:
    """Add what the first format lacks: there the season's one seed was told, and fills were not limited."""
    seed = season["seed"]
    bot["seed"] = str(seed_of(seed, bot["name"], bot["source_hash"]))
    season.update(seed_sha256="", predictable=True, fills_a_day=0, seed=str(seed))
    entry["good_tick"] = True


def tick_models(rows: Sequence[Row]) -> list[Tick]:
    """Return tick rows as models."""
    return [Tick(**row) for row in rows]


def event_models(rows: Sequence[Row]) -> list[BotTick]:
    """Return event rows as models."""
    return [BotTick(**row) for row in rows]


def mark_verified(engine: Engine, season_id: str, bot_id: str, tick: int, words: str) -> None:
    """Keep what a proof has shown, for the board."""
    table = table_of(Entry)
    with engine.begin() as connection:
        connection.execute(
            table.update()
            .where(table.c.season_id == season_id, table.c.bot_id == bot_id)
            .values(verified_tick=tick, verified_words=words)
        )

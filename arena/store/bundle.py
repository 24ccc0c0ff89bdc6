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
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import orjson
from sqlalchemy import Engine, func, select
from sqlmodel import SQLModel

from arena.core.season_rules import SeasonRules
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
from arena.store.models import Bot, BotTick, Entry, EntryNumber, EquityRow, EquityStored, OrderRow, Season, Tick, Trade
from arena.store.moved import equity_batches, row_batches, tick_batches
from arena.store.queries import receipts, tick_span
from arena.store.receipts import Signer, receipt_problems, seal_problems
from arena.store.seasons import season_seeds
from arena.store.zip_member import timeless

FORMAT = 4
_SEAL = "signature.json"
_MAX_SEAL = 4096
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
    receipts: list[Row] = field(default_factory=list)
    # Of a file: the key that signed it, and what is wrong with signature and receipts; None where it is not signed.
    key: str | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def last(self) -> int:
        """Return the number of the last tick, -1 if there is none."""
        return int(self.ticks[-1]["n"]) if self.ticks else -1

    @property
    def first(self) -> int:
        """Return the number of the first tick, 0 if there is none."""
        return int(self.ticks[0]["n"]) if self.ticks else 0

    @property
    def equity_until(self) -> int:
        """Return the tick of the last equity row, -1 if there is none."""
        return int(self.equity[-1]["tick"]) if self.equity else -1

    def rows(self, name: str) -> Iterator[Row]:
        """Yield the rows of one list, in order."""
        yield from getattr(self, name)


class StoredRecord:
    """A bot's part in one season as it stands in the tables, read as it is asked for; else as a `Bundle`."""

    def __init__(self, engine: Engine, season_id: str, bot_id: str) -> None:
        """Read the facts, as of the last tick; NotFoundError if the bot is not in the season."""
        self.engine = engine
        self._facts = _facts(engine, season_id, bot_id)
        self.season, self.bot, self.entry = self._facts.season, self._facts.bot, self._facts.entry
        self.source, self.first, self.last = self._facts.source, self._facts.first, self._facts.last
        self.events = list(self.rows("events"))

    @property
    def equity_until(self) -> int:
        """Return the tick of the last equity row up to the last tick, -1 if there is none."""
        rows, entries = table_of(EquityStored), table_of(EntryNumber)
        newest = (
            select(rows.c.tick)
            .join(entries, entries.c.number == rows.c.entry)
            .where(entries.c.season_id == self.season["id"], entries.c.bot_id == self.bot["id"])
            .where(rows.c.tick <= self.last)
            .order_by(rows.c.time.desc())
            .limit(1)
        )
        with self.engine.connect() as connection:
            found = connection.execute(newest).scalar()
        return -1 if found is None else int(found)

    def rows(self, name: str) -> Iterator[Row]:
        """Yield the rows of one list, in order."""
        for rows in self._facts.batches(self.engine, name):
            yield from rows


def read_bundle(engine: Engine, season_id: str, bot_id: str, version: str) -> Bundle:
    """Return a bot's bundle as of the last tick; NotFoundError if it is not in the season.

    The season may be running: what is read first bounds what is read after.
    """
    facts = _facts(engine, season_id, bot_id)
    lists = {name: [row for rows in facts.batches(engine, name) for row in rows] for name in _LISTS}
    chain = receipts(engine, season_id, bot_id)
    return Bundle(version, facts.season, facts.bot, facts.entry, facts.source, *_in_order(lists), receipts=chain)


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


def copy_bundle(
    engine: Engine, season_id: str, bot_id: str, version: str, file: IO[bytes], limit: int, signer: Signer | None = None
) -> None:  # fmt: skip
    """Write the file of `read_bundle` with a few rows in memory at a time, signed where there is a key.

    TooLargeError as soon as the file has more than `limit` bytes.
    """
    facts, hashes = _facts(engine, season_id, bot_id), {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name in ("bot.py", *(f"{name}.jsonl" for name in _LISTS)):
            digest = hashlib.sha256()
            with (
                archive.open(timeless(archive, name), "w", force_zip64=True) as member,
                closing(_pieces(engine, facts, name)) as pieces,
            ):
                for data in pieces:
                    digest.update(data)
                    member.write(data)
                    if file.tell() > limit:
                        raise TooLargeError(f"The bundle is larger than {limit // 2**20:,} MiB.")
            hashes[name] = digest.hexdigest()
        manifest = _manifest(
            version, (facts.season, facts.bot, facts.entry), receipts(engine, season_id, bot_id), hashes
        )
        _write_manifest(archive, manifest, signer)


def _pieces(engine: Engine, facts: _Facts, member: str) -> Generator[bytes, None, None]:
    if member == "bot.py":
        yield facts.source.encode()
        return
    for rows in facts.batches(engine, member.removesuffix(".jsonl")):
        yield b"".join([orjson.dumps(row) + b"\n" for row in rows])


def orders_of(engine: Engine, season_id: str, bot_id: str) -> int:
    """Return how many orders a bot's record has, which is what a proof takes memory for."""
    orders = table_of(OrderRow)
    where = orders.c.season_id == season_id, orders.c.bot_id == bot_id
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(orders).where(*where)).scalar_one())


def rows_of(engine: Engine, season_id: str, bot_id: str) -> int:
    """Return how many ticks and orders a bot's bundle has, which is what reading it whole takes memory for."""
    facts = _facts(engine, season_id, bot_id)
    return facts.last - facts.first + 1 + orders_of(engine, season_id, bot_id)


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


def write_bundle(bundle: Bundle, file: Path | IO[bytes], signer: Signer | None = None) -> None:
    """Write a bundle as a ZIP file, signed where there is a key."""
    members = {"bot.py": bundle.source.encode()}
    for name in _LISTS:
        members[f"{name}.jsonl"] = b"".join(orjson.dumps(row) + b"\n" for row in getattr(bundle, name))
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    manifest = _manifest(bundle.version, (bundle.season, bundle.bot, bundle.entry), bundle.receipts, hashes)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _write_manifest(archive, manifest, signer)
        for name, data in members.items():
            archive.writestr(timeless(archive, name), data)


def _manifest(version: str, facts: tuple[Row, Row, Row], chain: list[Row], hashes: dict[str, str]) -> Row:
    season, bot, entry = facts
    return {
        "format": FORMAT, "arena": version, "season": season, "bot": bot, "entry": entry,
        "rules": SeasonRules.of(season).document(), "receipts": chain, "sha256": hashes,
    }  # fmt: skip


def _write_manifest(archive: zipfile.ZipFile, manifest: Row, signer: Signer | None) -> None:
    """Write the manifest, which holds the hashes of all members, and the signature over it."""
    archive.writestr(timeless(archive, "manifest.json"), orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    if signer is not None:
        archive.writestr(
            timeless(archive, _SEAL), orjson.dumps({"signature": signer.sign(manifest), "key": signer.public})
        )


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
    seal = orjson.loads(read_member(archive, infos[_SEAL], _MAX_SEAL)) if _SEAL in infos else None
    key, problems = _checked_seal(manifest, seal)
    names = ["bot.py", *(f"{name}.jsonl" for name in _LISTS)]
    members = {name: read_member(archive, infos[name], MAX_SOURCE if name == "bot.py" else MAX_BYTES) for name in names}
    for name, data in members.items():
        if hashlib.sha256(data).hexdigest() != manifest["sha256"][name]:
            raise ValueError(f"{name} is not what the manifest says, its SHA-256 differs")
    season, bot, entry = manifest["season"], manifest["bot"], manifest["entry"]
    if type(manifest["format"]) is not int or not 1 <= manifest["format"] <= FORMAT:
        raise ValueError(f"its format is none of 1 to {FORMAT}; a newer arena may read it")
    if manifest["format"] == 1:
        _take_first_format(season, bot, entry)
    if manifest["format"] < 3:
        _take_second_format(season)
    if manifest["format"] < FORMAT:
        # Before the fourth format every order filled at the next tick.
        season.setdefault("delay_ticks", 1)
    check_facts(season, bot, entry)
    lists = {name: [orjson.loads(line) for line in members[f"{name}.jsonl"].splitlines()] for name in _LISTS}
    check_lists(lists, _LISTS)
    version, source = clean_line(str(manifest["arena"]), 80), members["bot.py"].decode()
    return Bundle(version, season, bot, entry, source, *_in_order(lists), key=key, problems=problems)


def _in_order(lists: dict[str, list[Row]]) -> tuple[list[Row], list[Row], list[Row], list[Row], list[Row]]:
    return lists["ticks"], lists["events"], lists["orders"], lists["trades"], lists["equity"]


def _checked_seal(manifest: Row, seal: object) -> tuple[str | None, list[str]]:
    """Return the key that has signed a bundle, None for none, and what is wrong with signature and receipts."""
    if seal is None:
        return None, []
    if not isinstance(seal, dict):
        return None, ["The signature cannot be read."]
    key = clean_line(str(seal.get("key")), 80)
    problems = seal_problems(manifest, seal.get("signature"), seal.get("key"))
    try:
        problems += _checked_receipts(manifest, key)
    except (AttributeError, LookupError, TypeError, ValueError):
        problems.append("Its receipts cannot be read.")
    return key, [clean_line(problem) for problem in problems]


def _checked_receipts(manifest: Row, key: str) -> list[str]:
    """Return what is wrong with the receipt of the bot, and with the link to the one before it."""
    rows = manifest["receipts"]
    if not rows:
        return []
    found, own = receipt_problems(rows, key), rows[-1]["document"]
    said = {
        "bot_id": manifest["bot"]["id"], "season_id": manifest["season"]["id"],
        "code_sha256": manifest["bot"]["source_hash"], "admitted_tick": manifest["entry"]["admitted_tick"],
    }  # fmt: skip
    found += [f"The receipt names another {name}." for name, value in said.items() if own[name] != value]
    rules, season = own["rules"], manifest["season"]
    return found + [f"The receipt names another rule: {name}." for name in rules if rules[name] != season[name]]


def _take_second_format(season: Row) -> None:
    """Add the rules that seasons of before the third format had without saying so."""
    season.setdefault("score_interval", 300.0)
    season.setdefault("benchmark", "equal weight")
    for name in ("starts_at", "ends_at", "entry_deadline"):
        season.setdefault(name, None)


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

"""Seasons and their bots: opening, resuming, admitting, retiring."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, bindparam, func, union_all, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select
from uuid6 import uuid7

from arena.core.baselines import EQUAL_WEIGHT
from arena.core.exchange import RULES_VERSION, Rules
from arena.core.names import imitates, skeleton
from arena.core.scoring import MIN_SCORE_INTERVAL, default_score_interval
from arena.dates import AT_ONCE, SeasonDates
from arena.errors import ConflictError
from arena.store.bulk import as_loaded, insert_rows, table_of
from arena.store.models import Bot, Entry, Season, SeasonSeeds
from arena.store.people import User

ReceiptWriter = Callable[[Connection, Bot, Entry], Any]

_BOTS, _ENTRIES, _USERS = table_of(Bot), table_of(Entry), table_of(User)


def _bots_where(*conditions: ColumnElement[bool]) -> Select[Any]:
    columns = (_BOTS.c.id, _BOTS.c.name, _BOTS.c.author, _BOTS.c.version, _BOTS.c.source_hash, _BOTS.c.owner_id)
    told = (_ENTRIES.c.season_id, _ENTRIES.c.bot_name, _ENTRIES.c.status, _ENTRIES.c.reason, _ENTRIES.c.disqualified)
    return sql_select(*columns, *told).where(_BOTS.c.id == _ENTRIES.c.bot_id, *conditions)


# All that stands in a new bot's way: those of the season that are called alike or whose names look alike, and its
# source where it has been quarantined in any season, or disqualified. Made once and asked at once: to build a
# statement takes longer than to run it.
_IN_THE_WAY = union_all(
    _bots_where(
        _ENTRIES.c.season_id == bindparam("season"),
        func.substr(_ENTRIES.c.bot_name, 1, bindparam("length")) == bindparam("name"),
    ),
    _bots_where(
        (_ENTRIES.c.status == "quarantined") | _ENTRIES.c.disqualified.is_not(None),
        _BOTS.c.source_hash == bindparam("source_hash"),
    ),
    _bots_where(_ENTRIES.c.season_id == bindparam("season"), _BOTS.c.skeleton == bindparam("skeleton")),
).order_by("id")


def new_id() -> str:
    """Return a fresh UUIDv7."""
    return str(uuid7())


@dataclass(frozen=True, slots=True)
class SeasonPlan:
    """What a season is about to be.

    Its market's seed is random; with `seed`, which makes it predictable, season n gets `seed + n - 1`, so that no
    two are alike. The seed of its bots' chance is random unless `chance` is given. A season without an end of its own
    lasts for `length` seconds. `origin` is the time of a recording's first tick, from which its dates count; None for
    the present.
    """

    feed: str
    symbols: tuple[str, ...]
    interval: float
    rules: Rules
    seed: int | None = None
    chance: int | None = None
    score_interval: float = MIN_SCORE_INTERVAL
    benchmark: str = EQUAL_WEIGHT
    length: float | None = None
    origin: float | None = None
    dates: SeasonDates = AT_ONCE

    def _usual_score_interval(self) -> float:
        return default_score_interval(self.interval, replay=self.feed.startswith("replay:"))

    def key(self) -> str:
        """Return the key by which an open season is found again."""
        parts = [
            self.feed, sorted(self.symbols), self.interval, self.rules.starting_cash,
            self.rules.fee_bps, self.rules.slippage_bps, RULES_VERSION,
        ]  # fmt: skip
        # Left out where they are as usual, so that seasons of before these were rules go on.
        if self.benchmark != EQUAL_WEIGHT:
            parts.append(self.benchmark)
        if self.score_interval != self._usual_score_interval():
            parts.append(self.score_interval)
        if self.rules.delay_ticks != 1:
            parts.append(f"delay {self.rules.delay_ticks}")
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def resume_or_open(engine: Engine, plan: SeasonPlan, *, runtime: dict[str, Any], note: str = "") -> tuple[Season, str]:
    """Return the newest open season with this key, else a new one; with the reason in words."""
    with Session(engine, expire_on_commit=False) as session:
        newest = session.exec(select(Season).order_by(col(Season.number).desc())).first()
        found = session.exec(
            select(Season).where(Season.key == plan.key(), Season.status == "open").order_by(col(Season.number).desc())
        ).first()
        if found is not None:
            return found, f"season {found.number} goes on{_seed_words(plan, found)}"
        number = (newest.number if newest else 0) + 1
        market = _random_seed() if plan.seed is None else str(plan.seed + number - 1)
        season = _new_season(plan, number, runtime, note, market)
        session.add(season)
        session.flush()
        chance = _random_seed() if plan.chance is None else str(plan.chance)
        session.add(SeasonSeeds(season_id=season.id, market=market, chance=chance))
        session.commit()
        return season, f"season {season.number} opens: {_why(newest, plan)}"


def _seed_words(plan: SeasonPlan, season: Season) -> str:
    if plan.seed is not None and not season.predictable:
        return " on its random seed: SYNTHETIC_SEED counts from the next season on"
    return " on a seed that was set: it is predictable" if season.predictable else ""


def _why(newest: Season | None, plan: SeasonPlan) -> str:
    if newest is None:
        return "the first season"
    same = newest.key == plan.key()
    return "the one before is closed" if same else "the market or the rules have changed"


def _random_seed() -> str:
    """Return 128 random bits in hex."""
    return secrets.token_hex(16)


def commitment(seed: str) -> str:
    """Return the SHA-256, in hex, of a market's seed as it is written."""
    return hashlib.sha256(seed.encode()).hexdigest()


def season_seeds(engine: Engine, season_id: str) -> SeasonSeeds:
    """Return what a season's market and its bots' chance follow from; it may be shown to nobody."""
    with Session(engine, expire_on_commit=False) as session:
        return session.exec(select(SeasonSeeds).where(SeasonSeeds.season_id == season_id)).one()


def _new_season(plan: SeasonPlan, number: int, runtime: dict[str, Any], note: str, market_seed: str) -> Season:
    opened, dates = time.time(), plan.dates
    begins = dates.starts_at or (opened if plan.origin is None else plan.origin)
    ends = begins + plan.length if dates.ends_at is None and plan.length is not None else dates.ends_at
    return Season(
        id=new_id(), number=number, key=plan.key(), status="open", feed=plan.feed, feed_note=note,
        symbols=list(plan.symbols), interval=plan.interval,
        starting_cash=plan.rules.starting_cash, fee_bps=plan.rules.fee_bps,
        slippage_bps=plan.rules.slippage_bps, rules_version=RULES_VERSION,
        runtime=runtime, opened_at=opened, seed_sha256=commitment(market_seed),
        predictable=plan.seed is not None, fills_a_day=plan.rules.fills_a_day, delay_ticks=plan.rules.delay_ticks,
        score_interval=plan.score_interval, benchmark=plan.benchmark,
        starts_at=dates.starts_at, ends_at=ends, entry_deadline=dates.entry_deadline,
    )  # fmt: skip


def carry_over(engine: Engine, season: Season, receipt: ReceiptWriter | None = None) -> int:
    """Let the uploaded and generated bots of the season before take part in a fresh one, each with its `receipt`."""
    with Session(engine) as session:
        if session.exec(select(Entry).where(Entry.season_id == season.id)).first() is not None:
            return 0
        before = session.exec(select(Season).where(Season.number == season.number - 1)).first()
        if before is None:
            return 0
        rows = session.exec(
            select(Bot, Entry).where(Bot.id == Entry.bot_id, Entry.season_id == before.id)
            .where(col(Bot.origin).in_(["upload", "generated"]), Entry.status == "active")
            .order_by(col(Entry.admitted_at))
        ).all()  # fmt: skip
        entries = [_new_entry(season.id, bot.id, entry.bot_name, tick=0) for bot, entry in rows]
        insert_rows(session.connection(), Entry, [entry.model_dump() for entry in entries])
        if receipt is not None:
            for (bot, _), entry in zip(rows, entries, strict=True):
                receipt(session.connection(), bot, entry)
        session.commit()
        return len(rows)


def open_season_with_key(engine: Engine, key: str) -> bool:
    """Say whether a season with this key is open."""
    with Session(engine) as session:
        found = session.exec(select(Season.id).where(Season.key == key, Season.status == "open"))
        return found.first() is not None


def close_season(engine: Engine, season_id: str) -> None:
    """Close a season and reveal its market's seed; its rows stay."""
    table, seeds = table_of(Season), table_of(SeasonSeeds)
    seed = sql_select(seeds.c.market).where(seeds.c.season_id == season_id).scalar_subquery()
    with engine.begin() as connection:
        connection.execute(
            update(table).where(table.c.id == season_id)
            .values(status="closed", closed_at=time.time(), seed=seed)
        )  # fmt: skip


def set_isolation(engine: Engine, season_id: str, level: str) -> None:
    """Store how well bots are isolated in this season."""
    table = table_of(Season)
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == season_id).values(isolation=level))


# -- bots -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewBot:
    """A checked program that wants to take part."""

    name: str
    author: str
    origin: str
    source: str
    source_hash: str
    symbols: tuple[str, ...]
    model: str | None = None
    path: str | None = None
    submission_id: str | None = None
    owner_id: str | None = None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The bot that a program is, and its part in the season where it is new; it `replaces` an older version."""

    bot: Bot
    entry: Entry | None = None
    replaces: str | None = None

    @property
    def created(self) -> bool:
        """Say whether it was not there before."""
        return self.entry is not None


def enrol(
    engine: Engine, season_id: str, new: NewBot, *, tick: int, room: int = 1, receipt: ReceiptWriter | None = None,
    most_of_owner: int = 0,
) -> Enrolled:  # fmt: skip
    """Let a program take part in a season from `tick` on; `room` is how many more bots may come.

    Bot and entry are written together, so that no crash leaves one without the other. ConflictError if the
    name is another's or looks like it, or if there is no room and it replaces nobody; `most_of_owner` is how many
    an owner who is no admin may have at once, 0 for any number. A submission is let in once only. `receipt` is called
    with bot and entry before they are committed.
    """
    with engine.begin() as connection:
        if new.submission_id is not None:
            # A server that was killed before it could say so has admitted it already.
            admitted = sql_select(_BOTS.c.id).where(_BOTS.c.submission_id == new.submission_id)
            bot_id = connection.execute(admitted).scalar()
            if bot_id is not None:
                return Enrolled(_bot_of(connection, bot_id))
        given = {
            "season": season_id, "name": new.name, "length": len(new.name), "source_hash": new.source_hash,
            "skeleton": skeleton(new.name) or None,
        }  # fmt: skip
        found = connection.execute(_IN_THE_WAY, given).all()
        alike = [row for row in found if row.season_id == season_id and row.bot_name.startswith(new.name)]
        versions = [row for row in alike if row.name == new.name and _is_of(row, new)]
        for version in versions:
            # Two prompts are two bots, even where the writer gave both the same program.
            if new.origin != "generated" and version.source_hash == new.source_hash and version.status != "retired":
                return Enrolled(_bot_of(connection, version.id))
        in_season = [row for row in found if row.season_id == season_id]
        _refuse_banned(found, in_season, new)
        # Where a model has chosen the name, a number behind it tells the two apart.
        taken = {row.bot_name for row in alike} | _imitated(in_season, new)
        number, bot_name, replaces = 1, new.name, None
        if versions and new.origin != "generated":
            number = max(version.version for version in versions) + 1
            bot_name = f"{new.name} v{number}"
            active = [version.id for version in versions if version.status != "retired"]
            replaces = active[-1] if active else None
        elif bot_name in taken and new.origin != "generated":
            raise ConflictError(f"The name '{bot_name}' belongs to another author; choose another.")
        if room <= 0 and replaces is None:
            raise ConflictError("There is no room for another bot (MAX_BOTS); retire one first.")
        if most_of_owner and replaces is None:
            _refuse_beyond(connection, season_id, new.owner_id, most_of_owner)
        bot = _new_bot(new, number, _free_name(bot_name, taken))
        entry = _new_entry(season_id, bot.id, bot.bot_name, tick=tick)
        _write(connection, bot, entry, receipt)
        return Enrolled(bot, entry, replaces)


def _is_of(row: Any, new: NewBot) -> bool:
    """Say whether a bot belongs to whom a new one belongs: the owner, or where there are no accounts, the author."""
    if new.owner_id is not None or row.owner_id is not None:
        return bool(row.owner_id == new.owner_id)
    return bool(row.author == new.author)


def _refuse_banned(found: Sequence[Any], in_season: Sequence[Any], new: NewBot) -> None:
    for row in found:
        # It would do the same again.
        if row.status == "quarantined" and row.source_hash == new.source_hash:
            raise ConflictError(f"This very source is quarantined: it {row.reason}. Change it first.")
    for row in in_season:
        if row.disqualified is not None and row.source_hash == new.source_hash:
            raise ConflictError(f"This very source is disqualified in this season: {row.disqualified}")


def _imitated(in_season: Sequence[Any], new: NewBot) -> set[str]:
    """Return the new name where it looks like another owner's; ConflictError where its author has chosen it."""
    looks = [row for row in in_season if not _is_of(row, new) and imitates(new.name, row.name)]
    if looks and new.origin != "generated":
        raise ConflictError(
            f"The name '{new.name}' looks like '{looks[0].bot_name}', which belongs to another author; choose another."
        )
    return {new.name} if looks else set()


def _refuse_beyond(connection: Connection, season_id: str, owner_id: str | None, most: int) -> None:
    if owner_id is None or connection.execute(sql_select(_USERS.c.admin).where(_USERS.c.id == owner_id)).scalar():
        return
    query = (
        sql_select(func.count()).select_from(_BOTS).join(_ENTRIES, _ENTRIES.c.bot_id == _BOTS.c.id)
        .where(_ENTRIES.c.season_id == season_id, _BOTS.c.owner_id == owner_id)
        .where(_ENTRIES.c.status.not_in(["retired", "quarantined"]))
    )  # fmt: skip
    if connection.execute(query).scalar_one() >= most:
        raise ConflictError(f"You have {most} bots in this season already (BOTS_PER_USER); retire one first.")


def _write(connection: Connection, bot: Bot, entry: Entry, receipt: ReceiptWriter | None) -> None:
    insert_rows(connection, Bot, [bot.model_dump()])
    insert_rows(connection, Entry, [entry.model_dump()])
    if receipt is not None:
        receipt(connection, bot, entry)


def _new_bot(new: NewBot, version: int, bot_name: str) -> Bot:
    return as_loaded(
        Bot, id=new_id(), name=new.name, bot_name=bot_name, author=new.author, origin=new.origin,
        model=new.model, version=version, source=new.source, source_hash=new.source_hash,
        symbols=list(new.symbols), path=new.path, submission_id=new.submission_id,
        created_at=time.time(), owner_id=new.owner_id, skeleton=skeleton(new.name),
    )  # fmt: skip


def _new_entry(season_id: str, bot_id: str, bot_name: str, *, tick: int) -> Entry:
    return as_loaded(
        Entry, season_id=season_id, bot_id=bot_id, bot_name=bot_name, status="active",
        admitted_at=time.time(), admitted_tick=tick,
    )  # fmt: skip


def _bot_of(connection: Connection, bot_id: str) -> Bot:
    with Session(connection, expire_on_commit=False) as session:
        return session.exec(select(Bot).where(Bot.id == bot_id)).one()


def _free_name(wanted: str, taken: set[str]) -> str:
    if wanted not in taken:
        return wanted
    number = 2
    while f"{wanted} #{number}" in taken:
        number += 1
    return f"{wanted} #{number}"

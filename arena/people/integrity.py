"""Honest boards: bots of several owners that are one program or do the same, and bots that are disqualified."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Engine, func, select, update

from arena.core.names import imitates, skeleton
from arena.core.text import clean_line, clean_name
from arena.errors import ConflictError, RefusedError
from arena.store.bulk import table_of
from arena.store.models import Bot, Entry

MIN_ORDERS = 5  # from which on the same orders at the same ticks are no accident
_BOTS, _ENTRIES = table_of(Bot), table_of(Entry)
_OWNER = func.coalesce(_BOTS.c.owner_id, _BOTS.c.author).label("owner")
_SHIPPED = ("arena",)


def _entries(season_id: str) -> Any:
    columns = (_BOTS.c.id, _ENTRIES.c.bot_name, _BOTS.c.author, _OWNER, _BOTS.c.source_hash)
    told = (_ENTRIES.c.orders_digest, _ENTRIES.c.orders_count, _ENTRIES.c.disqualified)
    joined = select(*columns, *told).join(_ENTRIES, _ENTRIES.c.bot_id == _BOTS.c.id)
    return joined.where(_ENTRIES.c.season_id == season_id, _BOTS.c.origin.not_in(_SHIPPED))


def flags_of(database: Engine, season_id: str, bot_id: str) -> list[dict[str, Any]]:
    """Return what is to be known of a bot's honesty: each a kind, a sentence, and the bots that it is about."""
    with database.connect() as connection:
        mine = connection.execute(_entries(season_id).where(_BOTS.c.id == bot_id)).first()
        if mine is None:
            return []
        alike = _BOTS.c.source_hash == mine.source_hash
        if mine.orders_count >= MIN_ORDERS:
            alike |= (_ENTRIES.c.orders_digest == mine.orders_digest) & (_ENTRIES.c.orders_count == mine.orders_count)
        rows = connection.execute(_entries(season_id).where(alike, mine.owner != _OWNER).order_by(_BOTS.c.id)).all()
    found = []
    if mine.disqualified is not None:
        found.append({"kind": "disqualified", "sentence": f"Disqualified: {mine.disqualified}", "bots": []})
    same_source = [row for row in rows if row.source_hash == mine.source_hash]
    same_orders = [row for row in rows if row not in same_source]
    if same_source:
        found.append(_flag("same source", "The very same program is entered by another owner", same_source))
    if same_orders:
        found.append(_flag("same orders", "Every order so far is the same as those of another owner's", same_orders))
    return found


def _flag(kind: str, words: str, rows: list[Any]) -> dict[str, Any]:
    bots = [{"bot_id": row.id, "name": row.bot_name, "author": row.author} for row in rows]
    shown = ", ".join(f"{one['name']} by {one['author']}" for one in bots[:5])
    more = f" and {len(bots) - 5} more" if len(bots) > 5 else ""
    return {"kind": kind, "sentence": f"{words}: {shown}{more}.", "bots": bots}


def season_flags(database: Engine, season_id: str) -> list[dict[str, Any]]:
    """Return the groups of bots of a season that are one program, or do the same, under several owners."""
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    with database.connect() as connection:
        for row in connection.execute(_entries(season_id).order_by(_BOTS.c.id)).all():
            groups["same source", row.source_hash].append(row)
            if row.orders_count >= MIN_ORDERS:
                groups["same orders", f"{row.orders_count} {row.orders_digest}"].append(row)
    words = {"same source": "One program under several owners", "same orders": "The same orders under several owners"}
    return [
        _flag(kind, words[kind], rows)
        for (kind, _), rows in groups.items() if len({row.owner for row in rows}) > 1
    ]  # fmt: skip


def refuse_imitation(database: Engine, season_id: str, name: str, author: str, owner_id: str | None) -> None:
    """Raise ConflictError where a name looks like that of another's bot in the season."""
    wanted = clean_name(name)
    mine = (
        _BOTS.c.owner_id == owner_id
        if owner_id is not None
        else _BOTS.c.owner_id.is_(None) & (_BOTS.c.author == author)
    )
    query = (
        select(_BOTS.c.name, _ENTRIES.c.bot_name).join(_ENTRIES, _ENTRIES.c.bot_id == _BOTS.c.id)
        .where(_ENTRIES.c.season_id == season_id, _BOTS.c.skeleton == skeleton(wanted), ~mine | mine.is_(None))
    )  # fmt: skip
    with database.connect() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        if imitates(wanted, row.name):
            raise ConflictError(
                f"The name '{wanted}' looks like '{row.bot_name}', which belongs to another author; choose another."
            )


def disqualify(database: Engine, season_id: str, bot_id: str, reason: str | None) -> None:
    """Disqualify a bot in a season with a reason that everybody reads, or take that back with None."""
    words = None if reason is None else clean_line(reason.strip(), 500)
    if words == "":
        raise RefusedError("Say why in a sentence: everybody can read the reason.")
    with database.begin() as connection:
        connection.execute(
            update(_ENTRIES)
            .where(_ENTRIES.c.season_id == season_id, _ENTRIES.c.bot_id == bot_id)
            .values(disqualified=words)
        )

"""The record of what was done: rows that are only added, each with the hash of the one before it.

Whoever changes, leaves out or slips in a row breaks the chain from there on. A chain that was cut off at its end looks
whole: keep the newest hash elsewhere where that matters.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Engine, select

from arena.core.text import clean_line
from arena.people.rights import Caller
from arena.store.bulk import Row, insert_rows, table_of
from arena.store.database import wait_turn
from arena.store.people import Activity

_ACTIVITY = table_of(Activity)
_ORDER = ("n", "time", "actor", "actor_id", "by", "address", "action", "object", "outcome", "detail", "previous")
COMMAND_LINE = Caller("command", "command line")


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to which object, without any secret; `detail` are a few words that tell more."""

    action: str
    object: str = ""
    outcome: int = 200
    detail: dict[str, Any] = field(default_factory=dict)


def record(database: Engine, caller: Caller, address: str, deed: Deed) -> Row:
    """Add a row; safe from several threads and processes."""
    values: Row = {
        "time": time.time(), "actor": clean_line(caller.name or "nobody known", 80), "actor_id": caller.user_id,
        "by": caller.by, "address": clean_line(address, 80), "action": clean_line(deed.action, 120),
        "object": clean_line(deed.object, 200), "outcome": deed.outcome,
        "detail": {name: clean_line(str(value), 300) for name, value in deed.detail.items()},
    }  # fmt: skip
    last = select(_ACTIVITY.c.n, _ACTIVITY.c.hash).order_by(_ACTIVITY.c.n.desc()).limit(1)
    with database.begin() as connection:
        wait_turn(connection, "activity")
        before = connection.execute(last).first()
        row = {"n": 0 if before is None else before.n + 1, **values, "previous": "" if before is None else before.hash}
        row["hash"] = hash_of(row)
        insert_rows(connection, Activity, [row])
    return row


def hash_of(row: Row) -> str:
    """Return the SHA-256 of a row, in hex, as it must stand in the row."""
    return hashlib.sha256(orjson.dumps([row[name] for name in _ORDER], option=orjson.OPT_SORT_KEYS)).hexdigest()


def list_activity(
    database: Engine, *, limit: int = 100, cursor: int | None = None, actor: str | None = None
) -> tuple[list[Row], int | None]:
    """Return rows newest first and the cursor of the next page, None at the end."""
    query = select(_ACTIVITY).order_by(_ACTIVITY.c.n.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(_ACTIVITY.c.n < cursor)
    if actor is not None:
        query = query.where(_ACTIVITY.c.actor == actor)
    with database.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return rows[:limit], rows[limit - 1]["n"] if len(rows) > limit else None


def verify_activity(database: Engine) -> tuple[int, list[str]]:
    """Return how many rows there are and what is wrong with them, a sentence each; none where the chain is whole."""
    found: list[str] = []
    previous, number = "", 0
    with database.connect() as connection:
        rows = connection.execution_options(yield_per=1000).execute(select(_ACTIVITY).order_by(_ACTIVITY.c.n))
        for count, each in enumerate(rows.mappings()):
            row, number = dict(each), count + 1
            if row["n"] != count and not found:
                found.append(f"Row {count} is missing.")
            if hash_of(row) != row["hash"]:
                found.append(f"Row {row['n']} was changed: its hash differs.")
            if row["previous"] != previous:
                found.append(f"Row {row['n']} does not follow the one before it.")
            previous = row["hash"]
    return number, found

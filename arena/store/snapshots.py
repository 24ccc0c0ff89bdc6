"""Snapshots of bots' memories: bytes that only a locked worker opens, with what says whether they may be used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import Engine, delete, func
from sqlmodel import Session, col, select

from arena.store.models import Snapshot

# Of each bot; the older one is for a newest that turns out to be damaged.
KEPT = 2


def save_snapshots(engine: Engine, rows: Sequence[Snapshot]) -> None:
    """Store snapshots, or why there are none, and forget all but the newest two of these bots."""
    with Session(engine) as session, session.begin():
        for row in rows:
            same = (Snapshot.season_id == row.season_id, Snapshot.bot_id == row.bot_id)
            kept = session.exec(
                select(Snapshot.id).where(*same, col(Snapshot.data).is_not(None))
                .order_by(col(Snapshot.tick).desc(), col(Snapshot.id).desc()).limit(KEPT - (row.data is not None))
            ).all()  # fmt: skip
            session.execute(
                delete(Snapshot).where(
                    col(Snapshot.season_id) == row.season_id, col(Snapshot.bot_id) == row.bot_id,
                    col(Snapshot.id).not_in(kept),
                )
            )  # fmt: skip
            session.add(row)


def usable_snapshots(engine: Engine, season_id: str, bot_id: str, runtime: str, last: int) -> Iterator[Snapshot]:
    """Yield the snapshots of a bot that may be used, newest first: whole, of this runtime, of ticks up to `last`."""
    with Session(engine, expire_on_commit=False) as session:
        rows = session.exec(
            select(Snapshot)
            .where(
                Snapshot.season_id == season_id, Snapshot.bot_id == bot_id, Snapshot.runtime == runtime,
                Snapshot.tick <= last, col(Snapshot.data).is_not(None),
            )
            .order_by(col(Snapshot.tick).desc(), col(Snapshot.id).desc())
        ).all()  # fmt: skip
        session.expunge_all()
    for row in rows:
        if row.data is not None and hashlib.sha256(row.data).hexdigest() == row.sha256:
            yield row


def newest_ticks(engine: Engine, season_id: str) -> dict[str, int]:
    """Return the tick of each bot's newest snapshot."""
    with Session(engine) as session:
        rows = session.exec(
            select(Snapshot.bot_id, func.max(Snapshot.tick))
            .where(Snapshot.season_id == season_id, col(Snapshot.data).is_not(None))
            .group_by(Snapshot.bot_id)
        ).all()
    return {bot_id: int(tick) for bot_id, tick in rows}


def snapshot_state(engine: Engine, season_id: str, bot_id: str) -> dict[str, object] | None:
    """Return tick and size of a bot's newest snapshot and why there is none since, None where nothing was tried."""
    with Session(engine) as session:
        rows = session.exec(
            select(Snapshot.tick, Snapshot.size, Snapshot.problem)
            .where(Snapshot.season_id == season_id, Snapshot.bot_id == bot_id)
            .order_by(col(Snapshot.id).desc())
        ).all()
    if not rows:
        return None
    whole = next(((tick, size) for tick, size, problem in rows if not problem), (None, None))
    return {"tick": whole[0], "size": whole[1], "problem": rows[0][2] or None}

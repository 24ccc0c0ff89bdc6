"""Work that any machine may take: a durable queue of rows, each taken by one worker under a lease.

A result is keyed by the hash of what it follows from, so that work done twice does no harm.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from arena.store.bulk import Row, insert_rows, table_of
from arena.store.jobs import key_of
from arena.store.models import FarmJob
from arena.store.seasons import new_id

ATTEMPTS = 3  # a job that three machines were lost with is not given to a fourth
KEPT_SECONDS = 86_400.0  # that a result is found again

_JOBS = table_of(FarmJob)


def put_job(engine: Engine, kind: str, inputs: dict[str, Any]) -> str:
    """Queue work and return its id: that of the same work where it is there, queued anew if that has failed."""
    while True:
        row = _row(kind, inputs)
        with contextlib.suppress(IntegrityError):
            with engine.begin() as connection:
                insert_rows(connection, FarmJob, [row])
            return str(row["id"])
        same, now = _JOBS.c.key == row["key"], row["created_at"]
        with engine.begin() as connection:
            connection.execute(
                update(_JOBS).where(same, _JOBS.c.status == "failed")
                .values(status="queued", attempts=0, reason=None)
            )  # fmt: skip
            # Who asks keeps it from being forgotten meanwhile.
            connection.execute(update(_JOBS).where(same).values(updated_at=now))
            found = connection.execute(select(_JOBS.c.id).where(same)).scalar()
        # Where the row has gone between the two, because nobody else wants it any more, it is queued after all.
        if found is not None:
            return str(found)


def put_result(engine: Engine, kind: str, inputs: dict[str, Any], result: dict[str, Any]) -> None:
    """Store what others need for their work, to be found by `stored_result`."""
    row = {**_row(kind, inputs), "status": "done", "result": result}
    again = update(_JOBS).where(_JOBS.c.key == row["key"]).values(updated_at=row["created_at"])
    with engine.begin() as connection:
        if connection.execute(again).rowcount:
            return
    # Another that stores the same at this moment stores it as well.
    with contextlib.suppress(IntegrityError), engine.begin() as connection:
        insert_rows(connection, FarmJob, [row])


def stored_result(engine: Engine, kind: str, inputs: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result that these inputs have, None where there is none any more."""
    wanted = select(_JOBS.c.result).where(_JOBS.c.key == key_of(kind, inputs), _JOBS.c.status == "done")
    with engine.connect() as connection:
        found: dict[str, Any] | None = connection.execute(wanted).scalar()
        return found


def _row(kind: str, inputs: dict[str, Any]) -> Row:
    now = time.time()
    return {
        "id": new_id(), "kind": kind, "key": key_of(kind, inputs), "inputs": inputs, "status": "queued",
        "taken_by": "", "lease_until": 0.0, "attempts": 0, "reason": None, "result": None, "created_at": now,
        "updated_at": now,
    }  # fmt: skip


def take_job(
    engine: Engine, worker: str, kinds: Sequence[str], seconds: float, among: Sequence[str] | None = None
) -> Row | None:
    """Take the oldest work of these kinds that waits, or whose worker's lease has run out; None where there is none.

    It is one of the ids `among`, if these are named.
    """
    now = time.time()
    free = or_(_JOBS.c.status == "queued", (_JOBS.c.status == "running") & (_JOBS.c.lease_until < now))
    # PostgreSQL lets takers pass each other's rows; SQLite has no such clause and one writer at a time.
    oldest = select(_JOBS).where(_JOBS.c.kind.in_(kinds), free).order_by(_JOBS.c.id).limit(1)
    if among is not None:
        oldest = oldest.where(_JOBS.c.id.in_(among))
    with engine.begin() as connection:
        row = connection.execute(oldest.with_for_update(skip_locked=True)).mappings().first()
        if row is None:
            return None
        mine = (_JOBS.c.id == row["id"], free)
        if row["attempts"] >= ATTEMPTS:
            reason = f"its worker was lost {ATTEMPTS} times"
            connection.execute(update(_JOBS).where(*mine).values(status="failed", reason=reason, updated_at=now))
            return None
        changed = connection.execute(
            update(_JOBS).where(*mine)
            .values(
                status="running", taken_by=worker, lease_until=now + seconds, attempts=row["attempts"] + 1,
                updated_at=now,
            )
        )  # fmt: skip
        return dict(row) if changed.rowcount else None


def keep_job(engine: Engine, job_id: str, worker: str, seconds: float) -> bool:
    """Prolong the lease of work under way; False where it is another's by now."""
    now = time.time()
    with engine.begin() as connection:
        changed = connection.execute(
            update(_JOBS).where(*_held(job_id, worker)).values(lease_until=now + seconds, updated_at=now)
        )
        return bool(changed.rowcount)


def end_job(
    engine: Engine, job_id: str, worker: str, *, result: dict[str, Any] | None = None, reason: str = ""
) -> bool:
    """Store a result, or the reason why there is none; False where another has the work by now."""
    with engine.begin() as connection:
        changed = connection.execute(
            update(_JOBS).where(*_held(job_id, worker))
            .values(
                status="failed" if result is None else "done", result=result, reason=reason or None,
                updated_at=time.time(),
            )
        )  # fmt: skip
        return bool(changed.rowcount)


def farm_jobs(engine: Engine, ids: Sequence[str]) -> dict[str, Row]:
    """Return these jobs by id."""
    with engine.connect() as connection:
        rows = connection.execute(select(_JOBS).where(_JOBS.c.id.in_(ids))).mappings()
        return {row["id"]: dict(row) for row in rows}


def job_states(engine: Engine, ids: Sequence[str]) -> dict[str, str]:
    """Return the status of each of these jobs that is there, by id."""
    with engine.connect() as connection:
        rows = connection.execute(select(_JOBS.c.id, _JOBS.c.status).where(_JOBS.c.id.in_(ids)))
        return {row.id: row.status for row in rows}


def drop_jobs(engine: Engine, ids: Sequence[str], worker: str) -> None:
    """Take work back that nobody waits for any more: what is queued, and what `worker` has begun."""
    mine = or_(_JOBS.c.status == "queued", (_JOBS.c.status == "running") & (_JOBS.c.taken_by == worker))
    with engine.begin() as connection:
        connection.execute(delete(_JOBS).where(_JOBS.c.id.in_(ids), mine))


def forget_jobs(engine: Engine) -> None:
    """Delete what nobody has asked for or been at work on for a day, ended or not: who asked has gone."""
    with engine.begin() as connection:
        connection.execute(delete(_JOBS).where(_JOBS.c.updated_at < time.time() - KEPT_SECONDS))


def _held(job_id: str, worker: str) -> tuple[Any, ...]:
    return _JOBS.c.id == job_id, _JOBS.c.status == "running", _JOBS.c.taken_by == worker

"""Long work as rows: queued, running, then done, failed or cancelled; a result is found again by its inputs."""

from __future__ import annotations

import hashlib
import time
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Engine, delete, select, update

from arena.errors import NotFoundError
from arena.store.bulk import Row, insert_rows, table_of
from arena.store.models import Job
from arena.store.seasons import new_id

VERIFY = "verify"  # a job that proves a bot's record
KEPT = 2000  # finished jobs; the oldest go first

_JOBS = table_of(Job)


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED})
_OPEN = [JobStatus.QUEUED.value, JobStatus.RUNNING.value]


def proof_subject(season_id: str, bot_id: str) -> str:
    """Return what a proof's job is about."""
    return f"{season_id}/{bot_id}"


def key_of(kind: str, inputs: dict[str, Any]) -> str:
    """Return the hash by which the same work is known again."""
    return hashlib.sha256(orjson.dumps([kind, inputs], option=orjson.OPT_SORT_KEYS)).hexdigest()


def add_job(
    engine: Engine, kind: str, subject: str, inputs: dict[str, Any], *, result: dict[str, Any] | None = None,
    owner_id: str | None = None,
) -> Row:  # fmt: skip
    """Store a job as queued, or as done where it comes with its result; the oldest finished ones are dropped."""
    now = time.time()
    row: Row = {
        "id": new_id(), "kind": kind, "key": key_of(kind, inputs), "subject": subject, "inputs": inputs,
        "status": (JobStatus.QUEUED if result is None else JobStatus.DONE).value,
        "progress": 0.0 if result is None else 1.0, "reason": None, "result": result,
        "created_at": now, "updated_at": now, "owner_id": owner_id,
    }  # fmt: skip
    finished = select(_JOBS.c.id).where(_JOBS.c.status.not_in(_OPEN)).order_by(_JOBS.c.id.desc())
    with engine.begin() as connection:
        insert_rows(connection, Job, [row])
        border = connection.execute(finished.offset(KEPT).limit(1)).scalar()
        if border is not None:
            connection.execute(delete(_JOBS).where(_JOBS.c.id <= border, _JOBS.c.status.not_in(_OPEN)))
    return row


def get_job(engine: Engine, job_id: str) -> Row:
    """Return a job; NotFoundError if there is none."""
    found = _first(engine, _JOBS.c.id == job_id)
    if found is None:
        raise NotFoundError("There is no such job; old ones are forgotten.")
    return found


def job_with_key(engine: Engine, key: str) -> Row | None:
    """Return the newest job with these inputs that is open or done, None if there is none."""
    return _first(engine, _JOBS.c.key == key, _JOBS.c.status.in_([*_OPEN, JobStatus.DONE.value]))


def newest_job(engine: Engine, kind: str, subject: str, *statuses: JobStatus) -> Row | None:
    """Return the newest job about a subject in one of these states."""
    wanted = [status.value for status in statuses]
    return _first(engine, _JOBS.c.kind == kind, _JOBS.c.subject == subject, _JOBS.c.status.in_(wanted))


def _first(engine: Engine, *where: Any) -> Row | None:
    with engine.connect() as connection:
        found = connection.execute(select(_JOBS).where(*where).order_by(_JOBS.c.id.desc()).limit(1)).mappings().first()
    return None if found is None else dict(found)


def change_job(engine: Engine, job_id: str, **values: Any) -> bool:
    """Store what has become of a job; False where it has ended already, which stays as it is."""
    with engine.begin() as connection:
        changed = connection.execute(
            update(_JOBS)
            .where(_JOBS.c.id == job_id, _JOBS.c.status.in_(_OPEN))
            .values(updated_at=time.time(), **values)
        )
        return bool(changed.rowcount)


def fail_unfinished(engine: Engine, reason: str) -> None:
    """End the jobs that a server left behind."""
    with engine.begin() as connection:
        connection.execute(
            update(_JOBS)
            .where(_JOBS.c.status.in_(_OPEN))
            .values(status=JobStatus.FAILED.value, reason=reason, updated_at=time.time())
        )

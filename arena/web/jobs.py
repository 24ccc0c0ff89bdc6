"""Runs long work on one thread, one job after the other, and tells how far it is."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import Response
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from arena.core.text import clean_line
from arena.errors import ArenaError
from arena.store.bulk import Row
from arena.store.jobs import JobStatus, add_job, change_job, fail_unfinished, get_job, job_with_key, key_of
from arena.web import schemas
from arena.web.problems import TooManyError
from arena.web.text import json_bytes

log = logging.getLogger("arena.web")

MAX_QUEUED = 20
MAX_OF_OWNER = 10  # of these, waiting for one user
_STEP = 0.05  # of progress that is worth telling
_TRIES, _AGAIN = 60, 1.0  # to store what has become of a job, and the seconds between two

_FAULT = "A fault of the arena; its log says more."

Told = Callable[[float], None]
Work = Callable[[Told], dict[str, Any]]


def job_answer(row: Row, status: int = 200) -> Response:
    """Return a job as the API shows it, with its address."""
    document = schemas.JobDetail.model_validate(row).model_dump()
    headers = {"location": f"/api/v1/jobs/{row['id']}"}
    return Response(json_bytes(document), status, headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for work; `count` counts it among what they may ask for, and raises where that is too much."""

    owner_id: str | None = None
    count: Callable[[], None] = lambda: None


NOBODY = Asker()


class CancelledJobError(Exception):
    """A job was cancelled while it ran; the runner catches it."""


@dataclass(slots=True)
class _Queued:
    id: str
    work: Work
    owner_id: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """The jobs of one server; callable from any thread. Its own threads live while there is work."""

    def __init__(self, database: Database, on_change: Callable[[dict[str, Any]], None], at_once: int = 1) -> None:
        """Prepare; `at_once` jobs are done at the same time."""
        self._database = database
        self._on_change = on_change
        self._lock = threading.Lock()
        self._queue: deque[_Queued] = deque()
        self._at_once = at_once
        self._running: list[_Queued] = []
        self._threads: list[threading.Thread] = []
        self._stopped = False
        self._ending = threading.Event()
        fail_unfinished(database, "The server was started anew before the job was done; ask again.")

    def ask(self, kind: str, subject: str, inputs: dict[str, Any], work: Work, asker: Asker = NOBODY) -> Row:
        """Queue work, or return the job that does or has done the same; TooManyError where many wait already."""
        with self._lock:
            known = job_with_key(self._database, key_of(kind, inputs))
            if known is not None:
                return known
            if len(self._queue) >= MAX_QUEUED or self._stopped:
                raise TooManyError(f"{MAX_QUEUED} jobs are waiting already; try again in a while.")
            owner = asker.owner_id
            if owner is not None and sum(one.owner_id == owner for one in self._queue) >= MAX_OF_OWNER:
                raise TooManyError(f"{MAX_OF_OWNER} of your jobs are waiting already; wait for them.")
            asker.count()
            row = add_job(self._database, kind, subject, inputs, owner_id=owner)
            self._queue.append(_Queued(row["id"], work, owner))
            if len(self._threads) < self._at_once:
                thread = threading.Thread(target=self._main_loop, name="jobs")
                self._threads.append(thread)
                thread.start()
        return row

    def cancel(self, job_id: str) -> Row:
        """Cancel a job; one that has ended stays as it is."""
        get_job(self._database, job_id)
        # What cannot be stored as cancelled keeps its place.
        self._store(job_id, status=JobStatus.CANCELLED.value)
        with self._lock:
            for queued in [*self._queue, *self._running]:
                if queued.id == job_id:
                    queued.cancelled.set()
            self._queue = deque(queued for queued in self._queue if queued.id != job_id)
        return get_job(self._database, job_id)

    def stop(self) -> None:
        """Cancel everything and end the thread."""
        with self._lock:
            self._stopped = True
            self._ending.set()
            for queued in [*self._queue, *self._running]:
                queued.cancelled.set()
            threads = list(self._threads)
        for thread in threads:
            thread.join(timeout=20)

    def _main_loop(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._threads.remove(threading.current_thread())
                    return
                queued = self._queue.popleft()
                self._running.append(queued)
            try:
                self._do(queued)
            except Exception:
                # The others must not wait for ever because of one; what is still open has failed at the next start.
                log.exception("What has become of job %s could not be stored", queued.id)
            finally:
                with self._lock:
                    self._running.remove(queued)

    def _do(self, queued: _Queued) -> None:
        # One that was cancelled while it waited has ended already.
        if not self._store_again(queued, status=JobStatus.RUNNING.value):
            return
        told = 0.0

        def tell(progress: float) -> None:
            nonlocal told
            if queued.cancelled.is_set():
                raise CancelledJobError
            if progress >= told + _STEP:
                told = progress
                # Progress that is not stored is no reason to give the work up.
                with contextlib.suppress(SQLAlchemyError):
                    self._store(queued.id, progress=progress)

        try:
            result = queued.work(tell)
        except CancelledJobError:
            self._store_again(queued, status=JobStatus.CANCELLED.value)
        except ArenaError as error:
            self._store_again(queued, status=JobStatus.FAILED.value, reason=clean_line(str(error), 2000))
        except Exception:
            log.exception("A job has failed because of a fault of ours")
            self._store_again(queued, status=JobStatus.FAILED.value, reason=_FAULT)
        else:
            self._store_result(queued, result)

    def _store_result(self, queued: _Queued, result: dict[str, Any]) -> None:
        try:
            self._store_again(queued, status=JobStatus.DONE.value, progress=1.0, result=result)
        except Exception:
            # Such as a value that JSON cannot say, or more than a column holds.
            log.exception("The result of job %s could not be stored", queued.id)
            self._store_again(queued, status=JobStatus.FAILED.value, reason=_FAULT)

    def _store_again(self, queued: _Queued, **values: Any) -> bool:
        """Store what has become of a job, again and again while the database does not answer."""
        for _ in range(_TRIES - 1):
            try:
                return self._store(queued.id, **values)
            except DBAPIError as error:
                log.warning("The state of job %s could not be stored yet: %s", queued.id, type(error.orig).__name__)
            if self._ending.wait(_AGAIN):
                break
        return self._store(queued.id, **values)

    def _store(self, job_id: str, **values: Any) -> bool:
        changed = change_job(self._database, job_id, **values)
        if changed:
            self._on_change({"id": job_id, **{name: value for name, value in values.items() if name != "result"}})
        return changed

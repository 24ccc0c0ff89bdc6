"""Long work on any machine with the same database: who takes it, and who has it done.

What is taken is done in this machine's own locked workers. What each kind of work is, its users say.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from arena import __version__
from arena.engine.replay.proof import UNPROVED, verify
from arena.errors import ArenaError
from arena.runtime.version import runtime_hash
from arena.store.bulk import Row
from arena.store.bundle import StoredRecord, mark_verified
from arena.store.farm import drop_jobs, end_job, farm_jobs, forget_jobs, job_states, keep_job, put_job, take_job
from sandbox.pool import Pool
from sandbox.process.limits import Limits

log = logging.getLogger("arena.hosts")

LEASE = 30.0  # seconds after which the work of a machine that is silent is taken by another
# Seconds between two looks at the queue: at first, since much of it comes in one go, and in the end.
_SOON, _LOOK_AGAIN = 0.05, 1.0
_LOOK_FOR_RESULTS = 0.1

_ENDED = frozenset({"done", "failed"})

VERIFY = "verify"
Told = Callable[[float], None]
Work = Callable[[Database, Pool, Mapping[str, Any], Told], dict[str, Any]]


class _LostJobError(Exception):
    """Another machine has the work by now, or this one is to end."""


def kind_of(work: str, limits: Limits) -> str:
    """Return the name of a kind of work among machines: those of another version or other limits do not take it."""
    own = {name: value for name, value in asdict(limits).items() if name not in {"uid_base", "uid_count", "nice"}}
    facts = f"{__version__} {runtime_hash()} {sorted(own.items())}"
    return f"{work} {hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def prove(database: Database, pool: Pool, inputs: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Run a bot's record again; the inputs are season_id, bot_id and the last tick that is meant."""
    proof = verify(pool, StoredRecord(database, inputs["season_id"], inputs["bot_id"]), told)
    if proof.status != UNPROVED:
        mark_verified(database, inputs["season_id"], inputs["bot_id"], proof.tick, proof.status)
    return asdict(proof)


class FarmWorker:
    """Does one job after the other until `stop`; `works` are the kinds that it takes."""

    def __init__(self, database: Database, pool: Pool, works: Mapping[str, Work], lease: float = LEASE) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._database, self._pool, self._lease = database, pool, lease
        self._works = {kind_of(work, pool.limits): do for work, do in works.items()}
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End after, or in the middle of, the present job, which another machine then takes."""
        self._stopped.set()

    def run(self) -> None:
        """Take and do what is queued, and look again where nothing is, less and less often."""
        pause = _SOON
        while not self._stopped.is_set():
            try:
                done = self.do_one()
            except SQLAlchemyError as error:
                log.warning("The database does not answer: %s", type(error).__name__)
                done = False
            except Exception:
                # The job is taken again when its lease is over, by this machine or another.
                log.exception("A job has failed because of a fault of ours")
                done = False
            if not done:
                self._stopped.wait(pause)
            pause = _SOON if done else min(2.0 * pause, _LOOK_AGAIN)

    def do_one(self, among: Sequence[str] | None = None, told: Told = lambda _: None) -> bool:
        """Do the next job, one of the ids `among` if these are named; False where there is none."""
        job = take_job(self._database, self.name, list(self._works), self._lease, among)
        if job is None:
            return False
        lost, done = threading.Event(), threading.Event()
        keeper = threading.Thread(target=self._keep, args=(job, lost, done), name="farm lease")
        keeper.start()
        try:
            self._do(job, lost, told)
        except _LostJobError:
            log.warning("Job %s is another's by now", job["id"])
        finally:
            done.set()
            keeper.join()
        return True

    def _do(self, job: Row, lost: threading.Event, told: Told) -> None:
        def tell(share: float) -> None:
            if lost.is_set() or self._stopped.is_set():
                raise _LostJobError
            told(share)

        try:
            result = self._works[job["kind"]](self._database, self._pool, job["inputs"], tell)
        except ArenaError as error:
            end_job(self._database, job["id"], self.name, reason=str(error))
            return
        if not end_job(self._database, job["id"], self.name, result=result):
            raise _LostJobError

    def _keep(self, job: Row, lost: threading.Event, done: threading.Event) -> None:
        while not done.wait(self._lease / 3.0):
            try:
                held = keep_job(self._database, job["id"], self.name, self._lease)
            except SQLAlchemyError:
                # Nobody else can take the work while the database is away.
                continue
            if not held:
                lost.set()
                return


class Farm:
    """Has work done by whichever machine takes it first; this one takes what none has taken for `patience` seconds."""

    def __init__(self, database: Database, pool: Pool, works: Mapping[str, Work], patience: float) -> None:
        self.database, self.pool = database, pool
        self._works, self._patience = works, patience
        # This machine does one job at a time, however many ask: its clock needs the processor as well.
        self._own = threading.Lock()

    def do(
        self, work: str, inputs: Sequence[dict[str, Any]], told: Told = lambda _: None, *, short: bool = False
    ) -> list[dict[str, Any]]:
        """Return the result of each of these inputs; ArenaError where one cannot be had.

        `told` hears the share that is done, and may raise to give all of it up. `short` work is done here beside a long
        job, where no other machine has taken it.
        """
        kind = kind_of(work, self.pool.limits)
        worker = FarmWorker(self.database, self.pool, self._works)
        forget_jobs(self.database)
        ids = [put_job(self.database, kind, each) for each in inputs]
        began = time.monotonic()
        try:
            while True:
                states = job_states(self.database, ids)
                # Another that asked for the same work may have taken it back, as nobody's.
                ids = [
                    job_id if job_id in states else put_job(self.database, kind, each)
                    for job_id, each in zip(ids, inputs, strict=True)
                ]
                done = sum(states.get(job_id) in _ENDED for job_id in ids)
                if done == len(ids):
                    rows = farm_jobs(self.database, ids)
                    if len(rows) == len(set(ids)):
                        break
                told(done / len(ids))
                patient = time.monotonic() - began < self._patience
                if patient or not self._do_own(worker, ids, _within(told, done, len(ids)), short=short):
                    time.sleep(_LOOK_FOR_RESULTS)
        except BaseException:
            drop_jobs(self.database, ids, worker.name)
            raise
        for row in rows.values():
            if row["status"] != "done":
                raise ArenaError(str(row["reason"]))
        return [rows[job_id]["result"] for job_id in ids]

    def _do_own(self, worker: FarmWorker, ids: Sequence[str], told: Told, *, short: bool) -> bool:
        """Do one of these jobs here; False where there is none to take, or this machine is at another."""
        if short:
            return worker.do_one(ids, told)
        if not self._own.acquire(blocking=False):
            return False
        try:
            return worker.do_one(ids, told)
        finally:
            self._own.release()


def _within(told: Told, done: int, count: int) -> Told:
    """Return what is told of one job, as its share of all."""
    return lambda share: told((done + share) / count)

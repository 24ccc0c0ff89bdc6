"""Takes queued work and does it in this machine's own locked workers: proofs of bots' records."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine as Database

from arena.engine.replay.proof import UNPROVED, verify
from arena.errors import ArenaError
from arena.store.bulk import Row
from arena.store.bundle import StoredRecord, mark_verified
from arena.store.farm import end_job, keep_job, take_job
from sandbox.pool import Pool

log = logging.getLogger("arena.hosts")

LEASE = 30.0  # seconds after which the work of a machine that is silent is taken by another
_LOOK_AGAIN = 1.0

VERIFY = "verify"
Told = Callable[[float], None]


class _LostJobError(Exception):
    """Another machine has the work by now, or this one is to end."""


def prove(database: Database, pool: Pool, inputs: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Run a bot's record again; the inputs are season_id, bot_id and the last tick that is meant."""
    proof = verify(pool, StoredRecord(database, inputs["season_id"], inputs["bot_id"]), told)
    if proof.status != UNPROVED:
        mark_verified(database, inputs["season_id"], inputs["bot_id"], proof.tick, proof.status)
    return asdict(proof)


KINDS: dict[str, Callable[[Database, Pool, Mapping[str, Any], Told], dict[str, Any]]] = {VERIFY: prove}


class FarmWorker:
    """Does one job after the other until `stop`."""

    def __init__(self, database: Database, pool: Pool, lease: float = LEASE) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._database, self._pool, self._lease = database, pool, lease
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End after, or in the middle of, the present job, which another machine then takes."""
        self._stopped.set()

    def run(self) -> None:
        """Take and do what is queued, and look again where nothing is."""
        while not self._stopped.is_set():
            if not self.do_one():
                self._stopped.wait(_LOOK_AGAIN)

    def do_one(self) -> bool:
        """Do the next job; False where there is none."""
        job = take_job(self._database, self.name, list(KINDS), self._lease)
        if job is None:
            return False
        lost, done = threading.Event(), threading.Event()
        keeper = threading.Thread(target=self._keep, args=(job, lost, done), name="farm lease")
        keeper.start()
        try:
            self._do(job, lost)
        except _LostJobError:
            log.warning("Job %s is another's by now", job["id"])
        finally:
            done.set()
            keeper.join()
        return True

    def _do(self, job: Row, lost: threading.Event) -> None:
        def told(_share: float) -> None:
            if lost.is_set() or self._stopped.is_set():
                raise _LostJobError

        try:
            result = KINDS[job["kind"]](self._database, self._pool, job["inputs"], told)
        except ArenaError as error:
            end_job(self._database, job["id"], self.name, reason=str(error))
            return
        if not end_job(self._database, job["id"], self.name, result=result):
            raise _LostJobError

    def _keep(self, job: Row, lost: threading.Event, done: threading.Event) -> None:
        while not done.wait(self._lease / 3.0):
            if not keep_job(self._database, job["id"], self.name, self._lease):
                lost.set()
                return

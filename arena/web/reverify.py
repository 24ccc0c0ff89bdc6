"""Proves every bot's record again from time to time, where REVERIFY_HOURS asks for it: the live run against its replay.

One bot after the other, as jobs among others. What differs is said in the log and marked on the board.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from arena.engine.replay.proof import DIFFERS
from arena.engine.seat import Life
from arena.errors import ArenaError
from arena.store.jobs import FINAL, JobStatus, get_job
from arena.web.context import AppState, ChosenSeason
from arena.web.proofs import ask_for_proof

log = logging.getLogger("arena.web")

_LOOK_AGAIN = 1.0  # seconds, until a job is looked at again


class Reverification:
    """A thread that asks for the proof of each bot of the season that is played, every so many hours."""

    def __init__(self, context: AppState, hours: float) -> None:
        """Begin, unless `hours` is 0."""
        self._context = context
        self._hours = hours
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._main_loop, name="reverify")
        if hours:
            self._thread.start()

    def stop(self) -> None:
        """End the thread; a proof that is under way is the jobs' to end."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _main_loop(self) -> None:
        while not self._stopped.wait(self._hours * 3600.0):
            try:
                self.round()
            except Exception:
                log.exception("The records could not be proved again because of a fault of ours")

    def round(self) -> dict[str, str]:
        """Prove each bot once; return by name what has come out."""
        found: dict[str, str] = {}
        season = ChosenSeason(self._context.engine.season.id, played=True)
        for seat in self._context.engine.roster.seats():
            if self._stopped.is_set():
                break
            if seat.life is Life.RETIRED:
                continue
            try:
                job = self._ended(ask_for_proof(self._context, season, seat.id))
            except ArenaError as error:
                words = "The record of bot '%s' could not be proved: %s"
                log.warning(words, seat.name, error, extra={"bot": seat.name})
                continue
            result = job["result"] or {"status": job["status"], "findings": []}
            found[seat.name] = result["status"]
            if result["status"] == DIFFERS:
                words = "The record of bot '%s' differs when it is run again: %s"
                log.error(words, seat.name, result["findings"][0], extra={"bot": seat.name})
        return found

    def _ended(self, job: dict[str, Any]) -> dict[str, Any]:
        while JobStatus(job["status"]) not in FINAL and not self._stopped.wait(_LOOK_AGAIN):
            job = get_job(self._context.database, job["id"])
        return job

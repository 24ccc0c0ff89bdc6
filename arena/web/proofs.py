"""Proofs of records over the web: a job each, and none repeated while its season has hardly moved on."""

from __future__ import annotations

from typing import Any

from arena.errors import NotFoundError, TooLargeError
from arena.hosts import farm
from arena.store import queries
from arena.store.bulk import Row
from arena.store.bundle import orders_of
from arena.store.jobs import VERIFY, JobStatus, newest_job, proof_subject
from arena.web.context import AppState, ChosenSeason
from arena.web.jobs import Asker, Told

FRESH_TICKS = 10
MAX_ORDERS = 1_000_000  # that are held in memory, a few hundred MB


def ask_for_proof(context: AppState, season: ChosenSeason, bot_id: str, owner_id: str | None = None) -> Row:
    """Return the job that proves a bot's record, or did so a moment ago."""
    subject = proof_subject(season.id, bot_id)
    open_or_done = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.DONE
    known = newest_job(context.database, VERIFY, subject, *open_or_done)
    tick = last_tick(context, season)
    if known is not None and 0 <= tick - known["inputs"]["tick"] < FRESH_TICKS:
        return known
    row = queries.bot_row(context.database, season.id, bot_id)
    inputs = {"season_id": season.id, "bot_id": bot_id, "source_hash": row["source_hash"], "tick": tick}
    return context.jobs.ask(VERIFY, subject, inputs, lambda told: prove(context, inputs, told), Asker(owner_id))


def last_tick(context: AppState, season: ChosenSeason) -> int:
    """Return the number of a season's last tick, -1 if it has none."""
    if season.played:
        return context.engine.market.n
    found = queries.last_tick(context.database, season.id)
    return -1 if found is None else int(found["n"])


def prove(context: AppState, inputs: dict[str, Any], told: Told) -> dict[str, Any]:
    """Run a bot again, here or on the farm, and return what has come out, kept for the board as well."""
    bot_id = inputs["bot_id"]
    if orders_of(context.database, inputs["season_id"], bot_id) > MAX_ORDERS:
        raise TooLargeError(
            f"The record has more than {MAX_ORDERS:,} orders: run `arena verify` on the server's machine."
        )
    if context.farm is None:
        proof = farm.prove(context.database, context.pool, inputs, told)
    else:
        (proof,) = context.farm.do(farm.VERIFY, [inputs], told)
    context.engine.roster.changed()
    return {"bot_id": bot_id, **proof}


def last_proof(context: AppState, season_id: str, bot_id: str) -> dict[str, Any]:
    """Return the last result that is stored; NotFoundError says how to ask for one."""
    found = newest_job(context.database, VERIFY, proof_subject(season_id, bot_id), JobStatus.DONE)
    if found is None or found["result"] is None:
        raise NotFoundError(f"This bot's record has not been proved yet: ask with POST /api/v1/bots/{bot_id}/verify.")
    result: dict[str, Any] = found["result"]
    return result

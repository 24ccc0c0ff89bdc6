"""Robustness of a server's bot: a job each, over the ticks that its season has recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine as Database

from arena.core.exchange import Rules
from arena.engine.backtest.market import part_of_market
from arena.engine.replay.replayer import RecordedTicks
from arena.errors import ConflictError, NotFoundError
from arena.store import queries
from arena.store.bulk import Row
from arena.store.jobs import JobStatus, newest_job, proof_subject
from arena.store.recovered import tick_rows
from arena.trust.robust import MIN_TICKS, play_once, robustness
from arena.web.context import AppState, ChosenSeason
from arena.web.jobs import Asker, Told
from arena.web.proofs import last_tick
from sandbox.pool import Pool

ROBUST = "robust"  # the kind of these jobs
MAX_TICKS = 100_000  # of the season's last ones, that are played over


def ask_for_robustness(context: AppState, season: ChosenSeason, bot_id: str, asker: Asker) -> Row:
    """Return the job that plays a bot again in other ways, or has done so on as many ticks."""
    tick = last_tick(context, season)
    if tick + 1 < MIN_TICKS:
        raise ConflictError(
            f"The season has {tick + 1} ticks: at least {MIN_TICKS} are needed to say anything of robustness."
        )
    row = queries.bot_row(context.database, season.id, bot_id)
    # A tenth more ticks change little: what was found is shown until then.
    inputs = {"season_id": season.id, "bot_id": bot_id, "source_hash": row["source_hash"], "ticks": _rounded(tick + 1)}
    subject = proof_subject(season.id, bot_id)
    return context.jobs.ask(
        ROBUST, subject, inputs, lambda told: _found(context, {**inputs, "tick": tick}, told), asker
    )


def _rounded(ticks: int) -> int:
    step: int = 10 ** max(0, len(str(ticks)) - 2)
    return ticks // step * step


def last_robustness(context: AppState, season_id: str, bot_id: str) -> dict[str, Any] | None:
    """Return the last result that is stored, None where nobody has asked yet."""
    found = newest_job(context.database, ROBUST, proof_subject(season_id, bot_id), JobStatus.DONE)
    return None if found is None else found["result"]


def shown_robustness(context: AppState, season_id: str, bot_id: str) -> dict[str, Any]:
    """Return the last result; NotFoundError says how to ask for one."""
    found = last_robustness(context, season_id, bot_id)
    if found is None:
        raise NotFoundError(f"Nobody has asked yet how robust this bot is: ask with POST /api/v1/bots/{bot_id}/robust.")
    return found


def _found(context: AppState, inputs: dict[str, Any], told: Told) -> dict[str, Any]:
    if context.farm is not None:
        return context.farm.do(ROBUST, [inputs], told)[0]
    return robust_work(context.database, context.pool, inputs, told)


def robust_work(database: Database, pool: Pool, inputs: Mapping[str, Any], told: Told) -> dict[str, Any]:
    """Play a bot again in other ways on the ticks of its season up to `tick`; this machine or another of the farm."""
    season_id, bot_id, tick = inputs["season_id"], inputs["bot_id"], inputs["tick"]
    season, row = queries.season_row(database, season_id), queries.bot_row(database, season_id, bot_id)
    versions = queries.versions(database, bot_id)
    source = next(version["source"] for version in versions if version["id"] == bot_id).encode()
    first = max(0, tick + 1 - MAX_TICKS)
    market = RecordedTicks.of(tick_rows(database, season_id, max(0, first - 1), tick)).market
    rules = replace(Rules.of(season), fills_a_day=0)
    found = robustness(pool, source, market, rules, seed=season_id, told=told)
    before = int(row["admitted_tick"]) - first
    hindsight = None
    if before >= MIN_TICKS:
        hindsight = play_once(pool, source, part_of_market(market, 0, before), rules, season_id)
    return {**found, "record": _record(row["return_pct"], hindsight, before)}


def _record(forward: float | None, hindsight: float | None, before: int) -> dict[str, Any]:
    made = "nothing yet" if forward is None else f"{forward:+.2f} %"
    words = f"Since it came in it has made {made}; " + (
        f"there are {max(0, before)} ticks before that, too few to compare." if hindsight is None
        else f"on the {before:,} ticks before that, which it may have been made for, it makes {hindsight:+.2f} %."
    )  # fmt: skip
    return {"forward_pct": forward, "hindsight_pct": hindsight, "ticks_before": max(0, before), "words": words}

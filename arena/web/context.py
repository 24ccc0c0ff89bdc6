"""What routes work with; `arena.app` puts it together."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine as Database

from arena.config import Settings
from arena.dates import SeasonDates
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.engine import Engine
from arena.errors import ConflictError
from arena.hosts.farm import Farm
from arena.people.quotas import Daily, DailyQuota, QuotaLimits
from arena.people.rights import Caller
from arena.store import queries
from arena.store.models import Season
from arena.store.receipts import Signer
from arena.submissions.dropin import DropIn
from arena.submissions.intake import Intake
from arena.submissions.pipeline import Pipeline
from arena.submissions.store import SubmissionStore
from arena.web.jobs import Asker, Jobs
from arena.web.limits import ConcurrencyLimits
from arena.web.measures import Measures
from arena.webhooks.outbox import Outbox
from sandbox.pool import Pool

SEASON_NUMBERS = 2**31 - 1  # the widest number that both databases keep in this column


@dataclass(frozen=True, slots=True)
class ChosenSeason:
    """The season that a read is about; only the one that is played has seats beside its rows."""

    id: str
    played: bool
    named: bool = False  # by the request; else it is whichever is played


@dataclass(frozen=True, slots=True)
class SeasonRun:
    """One season as it is played; a new season replaces all of it by one assignment to `AppState.run`."""

    season: Season
    engine: Engine
    intake: Intake
    drop_in: DropIn
    thread: threading.Thread
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class AppState:
    """Everything a route may use; each request has a copy, so that its season stays the same throughout."""

    settings: Settings
    database: Database
    pool: Pool
    run: SeasonRun
    broadcast: Broadcast
    desk: SubmissionStore
    pipeline: Pipeline
    jobs: Jobs
    status: Callable[[], dict[str, Any]]
    close_season: Callable[[], dict[str, Any]]
    new_season: Callable[[SeasonDates], dict[str, Any]]
    signer: Signer
    outbox: Outbox
    farm: Farm | None = None  # where long work goes, None where this machine does it
    measures: Measures = field(default_factory=Measures)

    @property
    def engine(self) -> Engine:
        """Return the running season's engine."""
        return self.run.engine

    @property
    def intake(self) -> Intake:
        """Return the running season's intake."""
        return self.run.intake

    @property
    def season_id(self) -> str:
        """Return the running season's id."""
        return self.engine.season.id

    @property
    def played(self) -> ChosenSeason:
        """Return the running season as a read names it."""
        return ChosenSeason(self.season_id, played=True)

    @property
    def public_key(self) -> str:
        """Return the key that receipts and documents are checked with."""
        return self.signer.public

    def asker(self, caller: Caller) -> Asker:
        """Return a caller whose new jobs count among the backtests of the day."""
        quota = DailyQuota(self.database, QuotaLimits.of(self.settings), Daily.BACKTESTS)
        return Asker(caller.user_id, lambda: quota.take(caller))

    def refuse_if_closed(self) -> None:
        """Take no strategy into a season that plays no more; ConflictError says what to do."""
        season = self.engine.season
        if season.status != "open" or self.engine.state == "finished":
            raise ConflictError(
                f"Season {season.number} is closed and takes no strategies: open the next one by "
                "`arena season new` or POST /api/v1/seasons."
            )
        problem = self.engine.entry_problem
        if problem is not None:
            raise ConflictError(problem)


async def context_of(request: Request) -> AppState:
    """Return this request's copy of the app's state: a season that opens meanwhile does not change it."""
    found: AppState = request.app.state.context
    return copy.copy(found)


Ctx = Annotated[AppState, Depends(context_of)]


async def chosen_season(
    context: Ctx,
    season: Annotated[
        int | None, Query(ge=1, le=SEASON_NUMBERS, description="Number of a season; else the one that is played.")
    ] = None,
) -> ChosenSeason:
    """Return the season that `?season=N` names, else the one that is played."""
    played = context.season_id
    if season is None:
        return ChosenSeason(played, played=True)
    found = await run_in_threadpool(queries.season_by_number, context.database, season)
    return ChosenSeason(found["id"], played=found["id"] == played, named=True)


Chosen = Annotated[ChosenSeason, Depends(chosen_season)]


async def lines_of(request: Request) -> ConcurrencyLimits:
    """Return the lines of the app that serves this request."""
    found: ConcurrencyLimits = request.app.state.lines
    return found


Waiting = Annotated[ConcurrencyLimits, Depends(lines_of)]

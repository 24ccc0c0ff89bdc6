"""What routes work with; put together by `arena.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Engine as Database

from arena.config import Settings
from arena.engine.broadcast import Broadcast
from arena.engine.engine import Engine
from arena.submissions.desk import Desk
from arena.submissions.intake import Intake
from arena.submissions.pipeline import Pipeline
from sandbox.pool import Pool


@dataclass(slots=True)
class Context:
    """Everything a route may use."""

    settings: Settings
    database: Database
    pool: Pool
    engine: Engine
    broadcast: Broadcast
    intake: Intake
    desk: Desk
    pipeline: Pipeline
    status: Callable[[], dict[str, Any]]
    close_season: Callable[[], dict[str, Any]]
    new_season: Callable[[], dict[str, Any]]

    @property
    def season_id(self) -> str:
        """Return the running season's id."""
        return self.engine.season.id


async def context_of(request: Request) -> Context:
    """Return the context of the app that serves this request."""
    found: Context = request.app.state.context
    return found


Ctx = Annotated[Context, Depends(context_of)]

"""A client for programs and notebooks: `Arena` for plain code, `AsyncArena` for asyncio; both have the same methods."""

from __future__ import annotations

from arena.client.asynchronous import AsyncArena, AsyncBacktest, AsyncJob, AsyncSubmission, AsyncTournament
from arena.client.errors import (
    ApiAuthError,
    ApiBusyError,
    ApiConflictError,
    ApiError,
    ApiNotFoundError,
    ApiRefusedError,
)
from arena.client.exchange import Event
from arena.client.synchronous import Arena, Backtest, Job, Submission, Tournament
from arena.client.table import Table
from arena.errors import ServerUnreachableError

__all__ = [
    "ApiAuthError",
    "ApiBusyError",
    "ApiConflictError",
    "ApiError",
    "ApiNotFoundError",
    "ApiRefusedError",
    "Arena",
    "AsyncArena",
    "AsyncBacktest",
    "AsyncJob",
    "AsyncSubmission",
    "AsyncTournament",
    "Backtest",
    "Event",
    "Job",
    "ServerUnreachableError",
    "Submission",
    "Table",
    "Tournament",
]

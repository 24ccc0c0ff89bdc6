"""What the tools need of an arena; a running server offers it itself, the Python client offers it from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Literal, Protocol

Document = dict[str, Any]
Action = Literal["pause", "resume", "retire"]


class Services(Protocol):
    """Documents as the HTTP API has them; errors are ArenaError. `url` is where the pages are."""

    @property
    def url(self) -> str:
        """Return the address of the pages, without a slash at its end."""

    async def contract(self) -> Document:
        """Return what a bot must be: the contract as text, and the season's facts."""

    async def check(self, source: str, *, report: bool) -> Document:
        """Check a source and admit nothing."""

    async def submit(self, wanted: Document) -> list[Document]:
        """Hand in a strategy; one submission a model and sample."""

    async def submission(self, submission_id: str) -> Document:
        """Return a submission with its attempts."""

    async def question(self, submission_id: str) -> Document:
        """Return what is asked about samples that differ."""

    async def answer(self, submission_id: str, choice: int) -> Document:
        """Answer it."""

    async def upload(self, source: str, author: str) -> Document:
        """Admit a handwritten bot."""

    async def job(self, job_id: str) -> Document:
        """Return a job."""

    async def bot(self, bot: str) -> Document:
        """Return a bot."""

    async def source(self, bot: str) -> str:
        """Return a bot's source."""

    async def trades(self, bot: str, limit: int) -> list[Document]:
        """Return a bot's newest fills."""

    async def orders(self, bot: str, limit: int) -> list[Document]:
        """Return a bot's newest orders."""

    async def explain_trade(self, bot: str, trade: int) -> Document:
        """Explain a trade."""

    async def explain_tick(self, bot: str, tick: int) -> Document:
        """Explain what a bot did at a tick."""

    async def leaderboard(self, sort: str, order: str, limit: int, season: int | None) -> Document:
        """Return the board."""

    async def seasons(self) -> list[Document]:
        """Return all seasons, newest first."""

    async def tapes(self) -> list[Document]:
        """Return the market files that a backtest may be played over."""

    async def backtest(self, wanted: Document) -> Document:
        """Ask for a backtest."""

    async def backtest_run(self, run_id: str) -> Document:
        """Return a kept backtest."""

    async def verify(self, bot: str) -> Document:
        """Ask for a proof of a bot's record."""

    async def change(self, bot: str, action: Action) -> Document:
        """Pause, resume or retire a bot."""


# Set where a request comes in; what answers it runs in copies of that context.
CURRENT: ContextVar[Services] = ContextVar("arena_services")


def ids(rows: Sequence[Document]) -> list[str]:
    """Return the ids of documents."""
    return [str(row["id"]) for row in rows]

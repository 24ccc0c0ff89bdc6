"""The tools' services over the Python client: for `arena mcp`, which an agent starts on its own machine."""

from __future__ import annotations

from typing import Any, Literal, cast

from arena.client import AsyncArena
from arena.client.exchange import quoted
from arena.mcp.services import Action, Document


class RemoteServices:
    """A server somewhere, spoken to by the client."""

    def __init__(self, arena: AsyncArena) -> None:
        self._arena = arena
        self.url = arena.url

    async def contract(self) -> Document:
        """Return what a bot must be."""
        return cast("Document", await self._arena.read("/contract"))

    async def check(self, source: str, *, report: bool) -> Document:
        """Check a source and admit nothing."""
        return dict(await self._arena.check(source, report=report))

    async def submit(self, wanted: Document) -> list[Document]:
        """Hand in a strategy."""
        return [dict(one.document) for one in await self._arena.submit_several(**wanted)]

    async def submission(self, submission_id: str) -> Document:
        """Return a submission with its attempts."""
        return dict((await self._arena.submission(submission_id)).document)

    async def question(self, submission_id: str) -> Document:
        """Return what is asked about samples that differ."""
        return cast("Document", await self._arena.read(f"/strategies/{quoted(submission_id)}/question"))

    async def answer(self, submission_id: str, choice: int) -> Document:
        """Answer it."""
        path = f"/strategies/{quoted(submission_id)}/answer"
        return cast("Document", await self._arena.write("POST", path, {"choice": choice}))

    async def upload(self, source: str, author: str) -> Document:
        """Admit a handwritten bot."""
        return dict(await self._arena.upload(source, author=author))

    async def job(self, job_id: str) -> Document:
        """Return a job."""
        return dict((await self._arena.job(job_id)).document)

    async def bot(self, bot: str) -> Document:
        """Return a bot."""
        return dict(await self._arena.bot(bot))

    async def source(self, bot: str) -> str:
        """Return a bot's source."""
        return await self._arena.source(bot)

    async def trades(self, bot: str, limit: int) -> list[Document]:
        """Return a bot's newest fills."""
        return [dict(row) for row in await self._arena.trades(bot, limit=limit)]

    async def orders(self, bot: str, limit: int) -> list[Document]:
        """Return a bot's newest orders."""
        return [dict(row) for row in await self._arena.orders(bot, limit=limit)]

    async def explain_trade(self, bot: str, trade: int) -> Document:
        """Explain a trade."""
        return await self._arena.explain_trade(bot, trade)

    async def explain_tick(self, bot: str, tick: int) -> Document:
        """Explain what a bot did at a tick."""
        return await self._arena.explain_tick(bot, tick)

    async def leaderboard(self, sort: str, order: str, limit: int, season: int | None) -> Document:
        """Return the board."""
        way = cast("Literal['asc', 'desc']", order)
        return (await self._arena.leaderboard(sort=sort, order=way, limit=limit, season=season)).document

    async def seasons(self) -> list[Document]:
        """Return all seasons, newest first."""
        return [dict(row) for row in await self._arena.seasons()]

    async def tapes(self) -> list[Document]:
        """Return the market files that a backtest may be played over."""
        return list(await self._arena.tapes())

    async def backtest(self, wanted: Document) -> Document:
        """Ask for a backtest."""
        return cast("Document", await self._arena.write("POST", "/backtests", wanted))

    async def backtest_run(self, run_id: str) -> Document:
        """Return a kept backtest."""
        return cast("Document", await self._arena.read(f"/backtests/{quoted(run_id)}"))

    async def verify(self, bot: str) -> Document:
        """Ask for a proof of a bot's record."""
        return dict((await self._arena.verify(bot)).document)

    async def change(self, bot: str, action: Action) -> Document:
        """Pause, resume or retire a bot."""
        if action == "retire":
            await self._arena.retire(bot)
            return dict(await self._arena.bot(bot))
        found: Any = await (self._arena.pause(bot) if action == "pause" else self._arena.resume(bot))
        return dict(found)

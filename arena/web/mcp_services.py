"""The tools' services in the server itself: the work behind the routes, with their rights, lines and records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from arena.errors import ArenaError, AuthError
from arena.mcp.services import Action, Document
from arena.people.activity import Deed, record
from arena.people.rights import Caller
from arena.store.jobs import get_job
from arena.web import schemas, schemas_backtests
from arena.web.access import API, access_of, permit
from arena.web.backtests import kept_run
from arena.web.board import BoardCache, as_json
from arena.web.context import AppState, ChosenSeason, chosen_season
from arena.web.contract import contract_document
from arena.web.limits import ConcurrencyLimit, ConcurrencyLimits
from arena.web.problems import in_our_words
from arena.web.routes_arena import season_list
from arena.web.routes_backtests import ask, tape_list
from arena.web.routes_behaviour import give_answer, open_question, tick_explanation, trade_explanation
from arena.web.routes_bots import (
    admit,
    ask_to_verify,
    bot_orders,
    bot_source,
    bot_trades,
    change_bot,
    check_source,
    show_bot,
)
from arena.web.routes_strategies import hand_in, show_submission

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_SORTS = frozenset(schemas.BoardItem.model_fields)


@dataclass(frozen=True, slots=True)
class LocalServices:
    """This server for one request: what is done is done with the rights of its caller, and recorded as the caller's."""

    request: Request
    context: AppState
    caller: Caller
    lines: ConcurrencyLimits
    url: str

    async def contract(self) -> Document:
        """Return what a bot must be."""
        return await self._read("/contract", self.lines.reads, contract_document)

    async def check(self, source: str, *, report: bool) -> Document:
        """Check a source and admit nothing."""
        content = source.encode("utf-8", "surrogatepass")

        def work(context: AppState) -> Document:
            return check_source(context, content, tried=report).model_dump()

        return await self._do("POST", "/bots/check", self.lines.writes, work)

    async def submit(self, wanted: Document) -> list[Document]:
        """Hand in a strategy."""
        body = _valid(schemas.StrategyRequest, wanted)
        self.context.refuse_if_closed()

        def work(context: AppState) -> list[Document]:
            return hand_in(context, body, None, self.caller)[0]

        return await self._do("POST", "/strategies", self.lines.writes, work, made=lambda rows: str(rows[0]["id"]))

    async def submission(self, submission_id: str) -> Document:
        """Return a submission with its attempts."""
        path = "/strategies/{submission_id}"
        return await self._read(path, self.lines.reads, _dumped(show_submission, submission_id))

    async def question(self, submission_id: str) -> Document:
        """Return what is asked about samples that differ."""
        path = "/strategies/{submission_id}/question"
        return await self._read(path, self.lines.writes, _dumped(open_question, submission_id))

    async def answer(self, submission_id: str, choice: int) -> Document:
        """Answer it."""
        path, work = "/strategies/{submission_id}/answer", _dumped(give_answer, submission_id, choice)
        return await self._do("POST", path, self.lines.writes, work, submission_id)

    async def upload(self, source: str, author: str) -> Document:
        """Admit a handwritten bot."""
        body = _valid(schemas.BotRequest, {"source": source, "author": author})
        self.context.refuse_if_closed()

        def work(context: AppState) -> Document:
            content = body.source.encode("utf-8", "surrogatepass")
            return admit(context, content, body.author, self.caller)[0].model_dump()

        return await self._do("POST", "/bots", self.lines.writes, work, made=lambda bot: str(bot["bot_id"]))

    async def job(self, job_id: str) -> Document:
        """Return a job."""

        def work(context: AppState) -> Document:
            return schemas.JobDetail.model_validate(get_job(context.database, job_id)).model_dump()

        return await self._read("/jobs/{job_id}", self.lines.reads, work)

    async def bot(self, bot: str) -> Document:
        """Return a bot."""
        return await self._read("/bots/{bot_id}", self.lines.reads, _dumped(show_bot, self._season, bot))

    async def source(self, bot: str) -> str:
        """Return a bot's source."""
        path = "/bots/{bot_id}/source"
        return await self._do("GET", path, self.lines.reads, lambda context: bot_source(context, self._season, bot))

    async def trades(self, bot: str, limit: int) -> list[Document]:
        """Return a bot's newest fills."""
        work = _dumped(bot_trades, self._season, bot, limit)
        return list((await self._read("/bots/{bot_id}/trades", self.lines.tables, work))["items"])

    async def orders(self, bot: str, limit: int) -> list[Document]:
        """Return a bot's newest orders."""
        work = _dumped(bot_orders, self._season, bot, limit)
        return list((await self._read("/bots/{bot_id}/orders", self.lines.tables, work))["items"])

    async def explain_trade(self, bot: str, trade: int) -> Document:
        """Explain a trade."""
        path, work = "/bots/{bot_id}/trades/{number}/explain", _dumped(trade_explanation, self._season, bot, trade)
        return await self._read(path, self.lines.writes, work)

    async def explain_tick(self, bot: str, tick: int) -> Document:
        """Explain what a bot did at a tick."""
        path, work = "/bots/{bot_id}/ticks/{number}/explain", _dumped(tick_explanation, self._season, bot, tick)
        return await self._read(path, self.lines.writes, work)

    async def leaderboard(self, sort: str, order: str, limit: int, season: int | None) -> Document:
        """Return the board."""
        if sort not in _SORTS:
            raise ArenaError(f"There is no column '{sort[:40]}' to sort by; rank, equity and return_pct are some.")
        await self._permit("GET", "/leaderboard", "")
        board: BoardCache = self.request.app.state.board
        chosen = await chosen_season(self.context, season)
        page = await board.first(as_json(_asking(self.request, sort, order, limit)), chosen, sort, order, limit, 0)
        return dict(orjson.loads(bytes(page.body)))

    async def seasons(self) -> list[Document]:
        """Return all seasons, newest first."""
        return list((await self._read("/seasons", self.lines.reads, _dumped(season_list)))["items"])

    async def tapes(self) -> list[Document]:
        """Return the market files that a backtest may be played over."""
        return list((await self._read("/tapes", self.lines.reads, _dumped(tape_list)))["items"])

    async def backtest(self, wanted: Document) -> Document:
        """Ask for a backtest."""
        body = _valid(schemas_backtests.BacktestRequest, wanted)
        made = _dumped(ask, body, self.caller)
        return await self._do("POST", "/backtests", self.lines.writes, made, made=lambda run: str(run["id"]))

    async def backtest_run(self, run_id: str) -> Document:
        """Return a kept backtest."""

        def work(context: AppState) -> Document:
            return schemas_backtests.BacktestRun.model_validate(kept_run(context, run_id)).model_dump()

        return await self._read("/backtests/{run_id}", self.lines.reads, work)

    async def verify(self, bot: str) -> Document:
        """Ask for a proof of a bot's record."""

        def work(context: AppState) -> Document:
            found = ask_to_verify(context, self._season, bot, self.caller)
            return schemas.JobDetail.model_validate(found).model_dump()

        return await self._do("POST", "/bots/{bot_id}/verify", self.lines.writes, work, bot)

    async def change(self, bot: str, action: Action) -> Document:
        """Pause, resume or retire a bot."""
        method, path = ("DELETE", "/bots/{bot_id}") if action == "retire" else ("POST", f"/bots/{{bot_id}}/{action}")
        return await self._do(method, path, self.lines.writes, _dumped(change_bot, bot, action), bot)

    # -- how

    @property
    def _season(self) -> ChosenSeason:
        return self.context.played

    async def _read(self, path: str, line: ConcurrencyLimit, work: Callable[[AppState], Document]) -> Document:
        return await self._do("GET", path, line, work)

    async def _do(
        self, method: str, path: str, line: ConcurrencyLimit, work: Callable[[AppState], T], name: str = "", *,
        made: Callable[[T], str] | None = None,
    ) -> T:  # fmt: skip
        """Do what a route does, in its line; `name` is the object's, else `made` tells it of what came out."""
        await self._permit(method, path, name)
        try:
            found = await line.run(self.request, work, self.context)
        except HTTPException as error:
            raise ArenaError(str(error.detail)) from error
        except ValidationError as error:
            raise ArenaError(in_our_words(error)) from error
        await self._record(method, path, name or (made(found) if made is not None else ""), 200)
        return found

    async def _permit(self, method: str, path: str, name: str) -> None:
        access = access_of(method, f"{API}{path}")
        members_only = self.context.settings.reads == "members"
        try:
            await permit(self.context, access, self.caller, name, members_only=members_only)
        except HTTPException as error:
            if self.caller.known:
                await self._record(method, path, name, error.status_code)
            raise AuthError(str(error.detail)) from error

    async def _record(self, method: str, path: str, name: str, outcome: int) -> None:
        action = access_of(method, f"{API}{path}").action
        if not action:
            return
        address = self.request.client.host if self.request.client else ""
        deed = Deed(action, name, outcome, {"by": "mcp"})
        await run_in_threadpool(record, self.context.database, self.caller, address, deed)


def _valid(kind: type[M], wanted: Document) -> M:
    try:
        return kind.model_validate(wanted)
    except ValidationError as error:
        raise ArenaError(in_our_words(error)) from error


def _dumped(work: Callable[..., BaseModel], *given: Any) -> Callable[[AppState], Document]:
    """Return work of a route, whose first argument is the context, with its document as plain values."""
    return lambda context: work(context, *given).model_dump()


def _asking(request: Request, sort: str, order: str, limit: int) -> Scope:
    """Return a request as it would ask for the board: the board remembers the words of its questions."""
    query = urlencode({"sort": sort, "order": order, "limit": limit}).encode()
    return {**request.scope, "query_string": query}

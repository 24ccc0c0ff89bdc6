"""Routes about the arena as a whole: board, seasons, prices, status, stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from sse_starlette import EventSourceResponse

from arena.store import queries
from arena.web import schemas
from arena.web.board import Board
from arena.web.context import SEASON_NUMBERS, Chosen, Context, Ctx
from arena.web.security import COOKIE, refused, session_value

router = APIRouter(tags=["arena"])

Sort = Literal[
    "rank", "equity", "return_pct", "realized_pnl", "unrealized_pnl", "max_drawdown_pct", "sharpe",
    "trades", "win_rate_pct", "turnover", "exposure_pct", "fees", "name", "errors",
]  # fmt: skip


@router.get(
    "/leaderboard",
    response_model=schemas.Board,
    responses={200: {"content": {"text/csv": {}}}, 304: {"description": "Not changed since the given ETag."}},
)
async def leaderboard(
    request: Request,
    season: Chosen,
    sort: Sort = "rank",
    order: Literal["asc", "desc"] = "asc",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Return the ranked bots of the season, as JSON or, by `Accept: text/csv`, as CSV."""
    board: Board = request.app.state.board
    return await board.first(request.scope, season, sort, order, limit, cursor)


@router.get("/seasons")
def seasons(context: Ctx) -> schemas.SeasonList:
    """List all seasons, newest first."""
    return schemas.SeasonList.model_validate({"items": queries.season_rows(context.database)})


@router.get("/seasons/{number}")
def season(number: Annotated[int, Path(ge=1, le=SEASON_NUMBERS)], context: Ctx) -> schemas.Season:
    """Show one season by its number."""
    return schemas.Season.model_validate(queries.season_by_number(context.database, number))


@router.post("/seasons/close")
def close_season(context: Ctx) -> dict[str, Any]:
    """Close the running season: no tick follows."""
    return context.close_season()


@router.post("/seasons")
def new_season(context: Ctx) -> dict[str, Any]:
    """Close the running season and open the next one, with the same bots and fresh accounts."""
    return context.new_season()


@router.get("/trades")
def trades(
    context: Ctx,
    season: Chosen,
    limit: Annotated[int, Query(ge=1, le=queries.MAX_PAGE)] = 20,
    cursor: Annotated[int | None, Query(ge=0)] = None,
) -> schemas.TradePage:
    """Return the newest fills of all bots."""
    items, following = queries.page(context.database, queries.TABLES["trades"], season.id, limit=limit, cursor=cursor)
    return schemas.TradePage.model_validate({"items": items, "next_cursor": following})


@router.get("/prices")
def prices(context: Ctx, season: Chosen) -> schemas.Prices:
    """Return the market at the last tick; tick -1 where there has been none."""
    market = context.engine.market
    if not season.played:
        found = queries.last_tick(context.database, season.id)
        if found is None:
            return schemas.Prices(time=0.0, tick=-1, prices={})
        return schemas.Prices(time=found["time"], tick=found["n"], prices=found["prices"])
    return schemas.Prices(time=market.time, tick=market.n, prices=market.prices)


@router.get("/status")
def status(context: Ctx) -> dict[str, Any]:
    """Say what was chosen and how everything is doing."""
    return context.status()


@router.post("/session", status_code=204)
async def session(request: Request, body: schemas.SessionRequest, context: Ctx) -> Response:
    """Exchange the token for an HttpOnly cookie, so that the page asks once."""
    refusal = request.app.state.tokens.refusal(request.scope, [session_value(body.token)])
    if refusal is not None:
        return refused(refusal)
    value = session_value(context.settings.arena_token.get_secret_value())
    response = Response(status_code=204)
    response.set_cookie(COOKIE, value, httponly=True, samesite="strict", path="/", max_age=30 * 86400)
    return response


@router.get("/stream", response_class=EventSourceResponse, responses=schemas.EVENT_STREAM)
async def stream(context: Ctx) -> EventSourceResponse:
    """Stream ticks, trades, board changes and submissions (server-sent events)."""
    return EventSourceResponse(_events(context), ping=15)


async def _events(context: Context) -> AsyncIterator[dict[str, str]]:
    with context.broadcast.listening() as stream:
        market = context.engine.market
        hello = {"n": market.n, "time": market.time, "prices": market.prices}
        yield {"event": "tick", "data": json.dumps(hello)}
        async for event in stream:
            yield {"event": event.kind, "data": json.dumps(event.data)}

"""Routes about the arena as a whole: board, seasons, prices, status, stream, and long work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException

from arena.clock import CLOCK
from arena.dates import SeasonDates, read_dates, read_length
from arena.people.sessions import csrf_of
from arena.store import queries
from arena.store.curves import equity_curve
from arena.store.jobs import FINAL, get_job
from arena.web import schemas
from arena.web.account_pages import set_cookies
from arena.web.answers import answer, tagged
from arena.web.board import BoardCache, as_json
from arena.web.context import SEASON_NUMBERS, AppState, Chosen, ChosenSeason, Ctx, Waiting
from arena.web.contract import contract_document
from arena.web.jobs import job_answer
from arena.web.limits import ConcurrencyLimits, Placed
from arena.web.security import refused, session_value
from arena.web.tables import PARQUET, table_bytes, wanted_table
from arena.web.text import json_bytes

router = APIRouter(tags=["arena"])

MAX_CURVE_POINTS = 20_000  # of one answer
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=100, description="Id of the last event that was received.")
]

Sort = Literal[
    "rank", "equity", "return_pct", "realized_pnl", "unrealized_pnl", "max_drawdown_pct", "sharpe",
    "trades", "win_rate_pct", "turnover", "exposure_pct", "fees", "name", "errors", "excess_pct",
]  # fmt: skip


@router.get(
    "/leaderboard",
    response_model=schemas.BoardPage,
    responses={200: {"content": {"text/csv": {}}}, 304: {"description": "Not changed since the given ETag."}},
)
async def leaderboard(
    request: Request,
    season: Chosen,
    lines: Waiting,
    sort: Sort = "rank",
    order: Literal["asc", "desc"] = "asc",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int, Query(ge=0, le=queries.MAX_CURSOR)] = 0,
) -> Response:
    """Return the ranked bots of the season, as JSON or, by `Accept`, as CSV or Parquet."""
    board: BoardCache = request.app.state.board
    if wanted_table(request.headers.get("accept", "")) == PARQUET:
        found = await board.first(as_json(request.scope), season, sort, order, limit, cursor)
        return tagged(request, await lines.tables.run(request, _board_file, bytes(found.body)), PARQUET)
    return await board.first(request.scope, season, sort, order, limit, cursor)


def _board_file(page: bytes) -> bytes:
    rows = orjson.loads(page)["items"]
    return table_bytes(PARQUET, list(schemas.BoardItem.model_fields), rows)


@router.get("/contract", response_model=schemas.Contract)
async def contract(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Say what a bot must be, with an example and the rules of the season that is played."""
    return await answer(lines.reads, request, _contract, context)


def _contract(context: AppState) -> schemas.Contract:
    return schemas.Contract.model_validate(contract_document(context))


@router.get("/seasons", response_model=schemas.SeasonList)
async def seasons(request: Request, context: Ctx, lines: Waiting) -> Response:
    """List all seasons, newest first."""
    return await answer(lines.reads, request, season_list, context)


def season_list(context: AppState) -> schemas.SeasonList:
    """Return all seasons, newest first."""
    return schemas.SeasonList.model_validate({"items": queries.season_rows(context.database)})


@router.get("/seasons/{number}", response_model=schemas.SeasonDetail)
async def season(
    request: Request, number: Annotated[int, Path(ge=1, le=SEASON_NUMBERS)], context: Ctx, lines: Waiting
) -> Response:
    """Show one season by its number."""
    return await answer(lines.reads, request, _season, context, number)


def _season(context: AppState, number: int) -> schemas.SeasonDetail:
    return schemas.SeasonDetail.model_validate(queries.season_by_number(context.database, number))


@router.post("/seasons/close", response_model=schemas.SeasonChange)
async def close_season(request: Request, context: Ctx, lines: Waiting) -> dict[str, Any]:
    """Close the running season: no tick follows."""
    return await lines.writes.run(request, context.close_season)


@router.post("/seasons", response_model=schemas.SeasonChange)
async def new_season(
    request: Request,
    context: Ctx,
    lines: Waiting,
    body: Annotated[
        schemas.NewSeason | None, Body(examples=[{"starts": "+1h", "ends": "+7d", "entry_deadline": "+1d"}])
    ] = None,
) -> dict[str, Any]:
    """Close the running season and open the next one, with the same bots and fresh accounts."""
    return await lines.writes.run(request, context.new_season, _dates(context, body or schemas.NewSeason()))


def _dates(context: AppState, asked: schemas.NewSeason) -> SeasonDates:
    """Return the dates that are asked for; 422 says what is wrong with them."""
    season, market = context.engine.season, context.engine.market
    if season.feed.startswith("replay:") and (asked.starts or asked.ends or asked.entry_deadline):
        raise HTTPException(
            422, "A recording is played from its first to its last tick: leave out starts, ends and entry_deadline."
        )
    length, now = context.settings.season_length, max(CLOCK.now(), market.time)
    try:
        return read_dates(asked.starts, asked.ends, asked.entry_deadline, now, read_length(length) if length else None)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


@router.get("/trades", response_model=schemas.TradePage)
async def trades(
    request: Request,
    context: Ctx,
    season: Chosen,
    lines: Waiting,
    limit: Annotated[int, Query(ge=1, le=queries.MAX_PAGE)] = 20,
    cursor: Annotated[int | None, Query(ge=0, le=queries.MAX_CURSOR)] = None,
) -> Response:
    """Return the newest fills of all bots."""
    return await answer(lines.tables, request, _trades, context, season, limit, cursor)


def _trades(context: AppState, season: ChosenSeason, limit: int, cursor: int | None) -> schemas.TradePage:
    items, following = queries.page(context.database, queries.TABLES["trades"], season.id, limit=limit, cursor=cursor)
    return schemas.TradePage.model_validate({"items": items, "next_cursor": following})


@router.get("/prices", response_model=schemas.Prices)
async def prices(request: Request, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return the market at the last tick; tick -1 where there has been none."""
    if season.played:
        market = context.engine.market
        shown = schemas.Prices(time=market.time, tick=market.n, prices=market.prices)
        return tagged(request, json_bytes(shown.model_dump()))
    return await answer(lines.reads, request, _past_prices, context, season)


def _past_prices(context: AppState, season: ChosenSeason) -> schemas.Prices:
    found = queries.last_tick(context.database, season.id)
    if found is None:
        return schemas.Prices(time=0.0, tick=-1, prices={})
    return schemas.Prices(time=found["time"], tick=found["n"], prices=found["prices"])


@router.get("/prices/history", response_model=schemas.PriceSeries)
async def price_history(
    request: Request, context: Ctx, season: Chosen, lines: Waiting,
    limit: Annotated[int, Query(ge=2, le=5000)] = 2000,
) -> Response:  # fmt: skip
    """Return the season's prices, oldest first, thinned evenly to at most `limit` ticks."""
    return await answer(lines.tables, request, _price_history, context, season, limit)


def _price_history(context: AppState, season: ChosenSeason, limit: int) -> schemas.PriceSeries:
    rows = queries.price_history(context.database, season.id, limit)
    symbols = sorted({symbol for row in rows for symbol in row["prices"]})
    return schemas.PriceSeries(
        ticks=[row["n"] for row in rows],
        times=[row["time"] for row in rows],
        prices={symbol: [row["prices"].get(symbol) for row in rows] for symbol in symbols},
    )


@router.get("/curves", response_model=schemas.CurveList)
async def curves(
    request: Request, context: Ctx, season: Chosen, lines: Waiting,
    bot: Annotated[list[str], Query(min_length=1, max_length=50, description="Ids of bots.")],
    limit: Annotated[int, Query(ge=2, le=2000)] = 40,
) -> Response:  # fmt: skip
    """Return the equity of several bots, each thinned evenly to at most `limit` points; unknown ids are left out."""
    if len(bot) * limit > MAX_CURVE_POINTS:
        raise HTTPException(422, f"Ask for at most {MAX_CURVE_POINTS} points in all: fewer bots, or a lower limit.")
    return await answer(lines.tables, request, _curves, context, season, bot, limit)


def _curves(context: AppState, season: ChosenSeason, bots: list[str], limit: int) -> schemas.CurveList:
    items = []
    for bot in dict.fromkeys(bots):
        rows = equity_curve(context.database, season.id, bot, limit)
        if rows:
            times, equity = [row["time"] for row in rows], [row["equity"] for row in rows]
            items.append(schemas.Curve(bot_id=bot, times=times, equity=equity))
    return schemas.CurveList(items=items)


@router.get("/status", response_model=schemas.ArenaStatus)
async def status(request: Request, context: Ctx, lines: Waiting) -> Response:
    """Say what was chosen and how everything is doing."""
    return tagged(request, json_bytes(await lines.reads.run(request, context.status)))


@router.post("/session", status_code=204)
async def session(request: Request, body: schemas.SessionRequest, context: Ctx) -> Response:
    """Exchange the token for an HttpOnly cookie, so that the page asks once."""
    refusal = request.app.state.tokens.refusal(request.scope, [session_value(body.token)])
    if refusal is not None:
        return refused(refusal)
    value = session_value(context.settings.arena_token.get_secret_value())
    response = Response(status_code=204)
    # With accounts the page must send the second one with each change.
    set_cookies(request, response, value, csrf_of(value) if context.settings.accounts else "", samesite="strict")
    return response


@router.get("/stream", response_class=EventSourceResponse, responses=schemas.EVENT_STREAM)
async def stream(request: Request, context: Ctx, lines: Waiting, last_event_id: LastEventId = None) -> Response:
    """Stream ticks, trades, board changes, submissions and jobs (server-sent events).

    Each event has an id. A request with `Last-Event-ID` goes on after that event; where what came since is not kept
    any more, it begins with an event `gap`, after which the lists are to be read again.
    """
    return Placed(lines.streams, request, EventSourceResponse(_events(context, last_event_id or ""), ping=15))


async def _events(context: AppState, last_id: str) -> AsyncIterator[dict[str, str]]:
    with context.broadcast.resuming(last_id) as (stream, whole, now):
        if not whole:
            market = context.engine.market
            hello = {"n": market.n, "time": market.time, "prices": market.prices}
            if last_id:
                yield {"event": "gap", "id": now, "data": json_bytes({"after": last_id}).decode()}
            yield {"event": "tick", "id": now, "data": json_bytes(hello).decode()}
        async for event in stream:
            yield {"event": event.kind, "id": event.id, "data": event.text}


@router.get("/jobs/{job_id}", response_model=schemas.JobDetail)
async def job(request: Request, job_id: str, context: Ctx, lines: Waiting) -> Response:
    """Show a job with its progress and, once it is done, its result."""
    row = await lines.reads.run(request, get_job, context.database, job_id)
    return tagged(request, bytes(job_answer(row).body))


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=schemas.EVENT_STREAM)
async def job_events(request: Request, job_id: str, context: Ctx, lines: Waiting) -> Response:
    """Stream a job until it ends (server-sent events)."""
    await lines.reads.run(request, get_job, context.database, job_id)
    return Placed(lines.streams, request, EventSourceResponse(_job_changes(request, context, lines, job_id)))


async def _job_changes(
    request: Request, context: AppState, lines: ConcurrencyLimits, job_id: str
) -> AsyncIterator[dict[str, str]]:
    # Listening begins before the row is read: a change in between would else never be told.
    with context.broadcast.listening() as stream:
        newest = context.broadcast.last_id
        row = await lines.reads.run(request, get_job, context.database, job_id)
        yield _job_event(row, newest)
        if row["status"] in FINAL:
            return
        async for event in stream:
            if event.kind != "job" or event.data["id"] != job_id:
                continue
            row = await lines.reads.run(request, get_job, context.database, job_id)
            yield _job_event(row, event.id)
            if row["status"] in FINAL:
                return


def _job_event(row: dict[str, object], event_id: str) -> dict[str, str]:
    return {
        "event": "job",
        "id": event_id,
        "data": json_bytes(schemas.JobDetail.model_validate(row).model_dump()).decode(),
    }


@router.delete("/jobs/{job_id}", response_model=schemas.JobDetail)
async def cancel_job(request: Request, job_id: str, context: Ctx, lines: Waiting) -> Response:
    """Cancel a job; one that has ended stays as it is."""
    return job_answer(await lines.writes.run(request, context.jobs.cancel, job_id))

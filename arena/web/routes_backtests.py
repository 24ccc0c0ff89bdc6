"""Routes about backtests: the market files there are, a run, what came out, and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from arena.core.exchange import Rules
from arena.engine.backtest.kept import BY_PAGE, title
from arena.people.quotas import Daily, DailyQuota, QuotaLimits
from arena.people.rights import Caller
from arena.web import schemas_backtests as schemas
from arena.web.access import Known
from arena.web.answers import answer, file_tag, tag_headers, tagged, unchanged
from arena.web.backtests import TAPE_NAME, Wanted, ask_for_backtest, kept_run, runs_of, tapes_of, unkept_job
from arena.web.context import AppState, Ctx, Waiting
from arena.web.jobs import job_answer

router = APIRouter(tags=["backtests"])

_TYPES = {".html": "text/html", ".csv": "text/csv", ".json": "application/json", ".jsonl": "application/x-ndjson"}


@router.get("/tapes", response_model=schemas.TapeList)
async def tapes(request: Request, context: Ctx, lines: Waiting) -> Response:
    """List the market files that a backtest may be played over."""
    return await answer(lines.reads, request, tape_list, context)


def tape_list(context: AppState) -> schemas.TapeList:
    """Return the market files there are."""
    return schemas.TapeList.model_validate({"items": tapes_of(context).items()})


@router.post(
    "/tapes", response_model=schemas.Tape, status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {
        "schema": {"type": "string", "format": "binary", "minLength": 1},
    }}}},
)  # fmt: skip
async def upload_tape(
    request: Request, context: Ctx, lines: Waiting, caller: Known,
    name: Annotated[str, Query(
        min_length=1, max_length=200, description="The file's name with its ending.", examples=["btc-2026-11.csv"],
        json_schema_extra={"pattern": TAPE_NAME},
    )],
) -> dict[str, Any]:  # fmt: skip
    """Take a market file, the body as it is, at most 32 MiB; the newest 20 are kept."""
    quota = DailyQuota(context.database, QuotaLimits.of(context.settings), Daily.TAPES)
    async with lines.writes.place(request):
        await run_in_threadpool(quota.take, caller)
        try:
            return await tapes_of(context).receive(name, request.stream())
        except BaseException:
            # What is refused, too large or broken off is not counted.
            await run_in_threadpool(quota.give_back, caller)
            raise


@router.get("/backtests", response_model=schemas.BacktestList)
async def backtests(request: Request, context: Ctx, lines: Waiting) -> Response:
    """List the backtests that were made on the page and kept, newest first."""
    return await answer(lines.reads, request, _backtests, context)


def _backtests(context: AppState) -> schemas.BacktestList:
    items = [
        {
            "id": head["id"], "created_at": head["created_at"], "ticks": head["report"]["ticks"],
            "tapes": list(head["markets"]), "bots": [title(bot) for bot in head["report"]["bots"]],
        }
        for head in runs_of(context).heads(BY_PAGE)
    ]  # fmt: skip
    return schemas.BacktestList.model_validate({"items": items})


@router.post("/backtests", response_model=schemas.BacktestAsked, status_code=202)
async def ask_backtest(
    request: Request, body: schemas.BacktestRequest, context: Ctx, lines: Waiting, caller: Known
) -> Response:
    """Play up to eight bots of the season over a market file, in lockstep; the same twice is played once."""
    document = await lines.writes.run(request, ask, context, body, caller)
    headers = {"location": f"/api/v1/backtests/{document.id}"}
    return Response(document.model_dump_json(), 202, headers, media_type="application/json")


def ask(context: AppState, body: schemas.BacktestRequest, caller: Caller) -> schemas.BacktestAsked:
    """Ask for a backtest; there is no job where it is kept already."""
    name, job = ask_for_backtest(context, _wanted(context, body), context.asker(caller))
    return schemas.BacktestAsked(id=name, address=f"/backtests/{name}", job_id=None if job is None else job["id"])


def _wanted(context: AppState, body: schemas.BacktestRequest) -> Wanted:
    usual = context.engine.rules
    rules = Rules(
        usual.starting_cash if body.starting_cash is None else body.starting_cash,
        usual.fee_bps if body.fee_bps is None else body.fee_bps,
        usual.slippage_bps if body.slippage_bps is None else body.slippage_bps,
        delay_ticks=usual.delay_ticks if body.delay_ticks is None else body.delay_ticks,
    )
    return Wanted(tuple(body.bots), body.tape, rules, body.seed, body.interval)


@router.get("/backtests/{run_id}", response_model=schemas.BacktestRun)
async def backtest(request: Request, run_id: str, context: Ctx, lines: Waiting) -> Response:
    """Return a kept backtest, or its job while there is nothing kept yet."""
    return await lines.reads.run(request, _backtest, request, context, run_id)


def _backtest(request: Request, context: AppState, run_id: str) -> Response:
    job = unkept_job(context, run_id)
    if job is not None:
        return job_answer(job, 202)
    found = schemas.BacktestRun.model_validate(kept_run(context, run_id))
    return tagged(request, found.model_dump_json().encode())


@router.get(
    "/backtests/{run_id}/files/{name}", response_class=FileResponse,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in _TYPES.values()}}},
)  # fmt: skip
async def backtest_file(request: Request, run_id: str, name: str, context: Ctx, lines: Waiting) -> Response:
    """Download one file of a kept backtest: run.json, report.html, trades.csv, orders.csv or logs.jsonl."""
    path, tag = await lines.reads.run(request, _file, context, run_id, name)
    return unchanged(request, tag) or FileResponse(
        path, headers=tag_headers(tag), media_type=_TYPES[path.suffix], filename=f"backtest-{run_id}-{name}"
    )


def _file(context: AppState, run_id: str, name: str) -> tuple[Path, str]:
    kept_run(context, run_id)
    path = runs_of(context).file(run_id, name)
    with path.open("rb") as file:
        return path, file_tag(file)

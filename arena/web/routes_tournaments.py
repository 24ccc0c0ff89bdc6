"""Routes about tournaments: those that are kept, a new one, what came out, and its files."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from arena.people.rights import Caller
from arena.web import schemas_backtests as schemas
from arena.web.access import Known
from arena.web.answers import answer, tagged
from arena.web.context import AppState, Ctx, Waiting
from arena.web.jobs import job_answer
from arena.web.tournaments import (
    Wanted,
    ask_for_tournament,
    head_of,
    kept_tournament,
    kept_tournaments,
    tournament_file,
    unkept_job,
)

router = APIRouter(tags=["tournaments"])

_TYPES = {"html": "text/html", "csv": "text/csv", "json": "application/json"}


@router.get("/tournaments", response_model=schemas.TournamentList)
async def tournaments(request: Request, context: Ctx, lines: Waiting) -> Response:
    """List the tournaments that were played on the page and kept, newest first."""
    return await answer(lines.reads, request, _tournaments, context)


def _tournaments(context: AppState) -> schemas.TournamentList:
    return schemas.TournamentList.model_validate({"items": [head_of(each) for each in kept_tournaments(context)]})


@router.post("/tournaments", response_model=schemas.TournamentAsked, status_code=202)
async def ask_tournament(
    request: Request, body: schemas.TournamentRequest, context: Ctx, lines: Waiting, caller: Known
) -> Response:
    """Rate two to eight bots over many short rounds: parts of market files, and made-up windows from calm to crash."""
    document = await lines.writes.run(request, _ask, context, body, caller)
    headers = {"location": f"/api/v1/tournaments/{document.id}"}
    return Response(document.model_dump_json(), 202, headers, media_type="application/json")


def _ask(context: AppState, body: schemas.TournamentRequest, caller: Caller) -> schemas.TournamentAsked:
    given = {
        name: value
        for name in ("starting_cash", "fee_bps", "slippage_bps", "delay_ticks")
        if (value := getattr(body, name)) is not None
    }
    rules = replace(context.engine.rules, fills_a_day=0, **given)
    wanted = Wanted(
        tuple(body.bots), tuple(body.tapes), tuple(body.tiers), body.rounds, body.ticks, body.seed, body.interval, rules
    )
    name, job = ask_for_tournament(context, wanted, context.asker(caller))
    job_id = None if job is None else job["id"]
    return schemas.TournamentAsked(id=name, address=f"/tournaments/{name}", job_id=job_id)


@router.get("/tournaments/{tournament_id}", response_model=schemas.TournamentRun)
async def tournament(request: Request, tournament_id: str, context: Ctx, lines: Waiting) -> Response:
    """Return a kept tournament, or its job while there is nothing kept yet."""
    return await lines.reads.run(request, _tournament, request, context, tournament_id)


def _tournament(request: Request, context: AppState, tournament_id: str) -> Response:
    job = unkept_job(context, tournament_id)
    if job is not None:
        return job_answer(job, 202)
    found = schemas.TournamentRun.model_validate(kept_tournament(context, tournament_id))
    return tagged(request, found.model_dump_json().encode())


@router.get(
    "/tournaments/{tournament_id}/files/{name}", response_class=Response,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in _TYPES.values()}}},
)  # fmt: skip
async def tournament_download(
    request: Request, tournament_id: str, name: str, context: Ctx, lines: Waiting
) -> Response:
    """Download one file of a kept tournament: report.html, table.csv or tournament.json."""
    return await lines.reads.run(request, _file, request, context, tournament_id, name)


def _file(request: Request, context: AppState, tournament_id: str, name: str) -> Response:
    text = tournament_file(context, tournament_id, name)
    found = tagged(request, text.encode(), _TYPES[name.rpartition(".")[2]])
    found.headers["content-disposition"] = f'attachment; filename="tournament-{tournament_id}-{name}"'
    return found

"""Routes about what a rank means: statistics of a bot, groups of the board."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from arena.errors import NotFoundError
from arena.people.rights import Caller
from arena.store import queries
from arena.store.bulk import Row
from arena.store.receipts import receipt_problems, sealed
from arena.trust.groups import By, board_groups
from arena.trust.season_report import keep_report, report_csv, report_page
from arena.trust.statistics import bot_statistics
from arena.web import schemas_trust as schemas
from arena.web.access import Known
from arena.web.answers import answer, tagged
from arena.web.context import SEASON_NUMBERS, AppState, Chosen, ChosenSeason, Ctx, Waiting
from arena.web.jobs import job_answer
from arena.web.robustness import ask_for_robustness, shown_robustness
from arena.web.schemas import BoardItem, JobDetail, SeasonDetail
from arena.web.text import json_bytes

router = APIRouter(tags=["trust"])


@router.get("/bots/{bot_id}/statistics", response_model=schemas.BotStatistics)
async def statistics(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return a bot's figures on the score clock, each with its formula, and how many trials stand behind it."""
    return await answer(lines.tables, request, _statistics, context, season, bot_id)


def _statistics(context: AppState, season: ChosenSeason, bot_id: str) -> schemas.BotStatistics:
    found = queries.find_bot(context.database, season.id, bot_id)
    return schemas.BotStatistics.model_validate(bot_statistics(context.database, season.id, found))


@router.get("/key", response_model=schemas.PublicKey)
async def key(request: Request, context: Ctx) -> Response:
    """Return the key that receipts are checked with: raw Ed25519 in base64."""
    return tagged(request, json_bytes(schemas.PublicKey(key=context.public_key).model_dump()))


@router.get("/bots/{bot_id}/receipt", response_model=schemas.Receipt)
async def receipt(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return the signed receipt that a bot got before its first ranked tick, and whether it holds."""
    return await answer(lines.reads, request, _receipt, context, season, bot_id)


def _receipt(context: AppState, season: ChosenSeason, bot_id: str) -> schemas.Receipt:
    found = queries.receipts(context.database, season.id, queries.find_bot(context.database, season.id, bot_id))
    if not found:
        raise NotFoundError("The bot has no receipt: it came in before receipts were given, or from a season before.")
    problems = receipt_problems(found, context.public_key)
    return schemas.Receipt.model_validate({**found[-1], "problems": problems})


@router.get(
    "/seasons/{number}/report",
    response_model=schemas.SignedReport,
    responses={200: {"content": {"text/html": {}, "text/csv": {}}}},
)
async def season_report(
    request: Request, number: Annotated[int, Path(ge=1, le=SEASON_NUMBERS)], context: Ctx, lines: Waiting,
    form: Annotated[Literal["json", "html", "csv"], Query(alias="format")] = "json",
) -> Response:  # fmt: skip
    """Return what may be said of a closed season, made once and signed; as a page or a table it has no signature."""
    made = await lines.tables.run(request, keep_report, context.database, number, context.signer)
    if form == "html":
        return tagged(request, report_page(made["report"]).encode(), "text/html; charset=utf-8")
    if form == "csv":
        return tagged(request, report_csv(made["report"]).encode(), "text/csv; charset=utf-8")
    return tagged(request, json_bytes(made))


@router.get("/bots/{bot_id}/robust", response_model=schemas.Robustness)
async def robust(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return what was left of a bot's result under costs, delays and changes; `POST` asks for it."""
    return await answer(lines.reads, request, _robust, context, season, bot_id)


def _robust(context: AppState, season: ChosenSeason, bot_id: str) -> schemas.Robustness:
    found = queries.find_bot(context.database, season.id, bot_id)
    return schemas.Robustness.model_validate(shown_robustness(context, season.id, found))


@router.post("/bots/{bot_id}/robust", status_code=202, response_model=JobDetail)
async def ask_robust(
    request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting, caller: Known
) -> Response:
    """Play a bot again over its season's ticks as a job: dearer, later, renamed, rescaled, in windows."""
    return job_answer(await lines.writes.run(request, _ask_robust, context, season, bot_id, caller), 202)


def _ask_robust(context: AppState, season: ChosenSeason, bot_id: str, caller: Caller) -> Row:
    found = queries.find_bot(context.database, season.id, bot_id)
    return ask_for_robustness(context, season, found, context.asker(caller))


@router.get("/leaderboard/signed", response_model=schemas.SignedBoard)
async def signed_board(request: Request, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return the whole board as it was last ranked, signed: season, rules, summary and rows."""
    return tagged(request, await lines.tables.run(request, _signed_board, context, season))


def _signed_board(context: AppState, season: ChosenSeason) -> bytes:
    row = queries.season_row(context.database, season.id)
    board = {
        "season": SeasonDetail.model_validate(row).model_dump(),
        "summary": queries.board_summary(context.database, season.id),
        "items": [
            {name: item[name] for name in BoardItem.model_fields if name in item}
            for item in queries.board(context.database, season.id)
        ],
    }
    # What is signed is what is sent: of the same valid text.
    return json_bytes(sealed("board", orjson.loads(json_bytes(board)), context.signer))


@router.get("/leaderboard/groups", response_model=schemas.BoardGroups)
async def groups(request: Request, context: Ctx, season: Chosen, lines: Waiting, by: By = "model") -> Response:
    """Return the board grouped by model, prompt, author or origin, and where the spread of returns comes from."""
    return await answer(lines.tables, request, _groups, context, season, by)


def _groups(context: AppState, season: ChosenSeason, by: By) -> schemas.BoardGroups:
    return schemas.BoardGroups.model_validate(board_groups(context.database, season.id, by))

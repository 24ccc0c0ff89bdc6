"""Routes about what a rank means: statistics of a bot, groups of the board."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from arena.errors import NotFoundError
from arena.store import queries
from arena.store.receipts import receipt_problems
from arena.trust.groups import By, board_groups
from arena.trust.statistics import bot_statistics
from arena.web import schemas_trust as schemas
from arena.web.answers import answer, tagged
from arena.web.context import AppState, Chosen, ChosenSeason, Ctx, Waiting
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


@router.get("/leaderboard/groups", response_model=schemas.BoardGroups)
async def groups(request: Request, context: Ctx, season: Chosen, lines: Waiting, by: By = "model") -> Response:
    """Return the board grouped by model, prompt, author or origin, and where the spread of returns comes from."""
    return await answer(lines.tables, request, _groups, context, season, by)


def _groups(context: AppState, season: ChosenSeason, by: By) -> schemas.BoardGroups:
    return schemas.BoardGroups.model_validate(board_groups(context.database, season.id, by))

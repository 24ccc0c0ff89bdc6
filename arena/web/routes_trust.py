"""Routes about what a rank means: statistics of a bot, groups of the board."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from arena.store import queries
from arena.trust.groups import By, board_groups
from arena.trust.statistics import bot_statistics
from arena.web import schemas_trust as schemas
from arena.web.answers import answer
from arena.web.context import AppState, Chosen, ChosenSeason, Ctx, Waiting

router = APIRouter(tags=["trust"])


@router.get("/bots/{bot_id:path}/statistics", response_model=schemas.BotStatistics)
async def statistics(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return a bot's figures on the score clock, each with its formula, and how many trials stand behind it."""
    return await answer(lines.tables, request, _statistics, context, season, bot_id)


def _statistics(context: AppState, season: ChosenSeason, bot_id: str) -> schemas.BotStatistics:
    found = queries.find_bot(context.database, season.id, bot_id)
    return schemas.BotStatistics.model_validate(bot_statistics(context.database, season.id, found))


@router.get("/leaderboard/groups", response_model=schemas.BoardGroups)
async def groups(request: Request, context: Ctx, season: Chosen, lines: Waiting, by: By = "model") -> Response:
    """Return the board grouped by model, prompt, author or origin, and where the spread of returns comes from."""
    return await answer(lines.tables, request, _groups, context, season, by)


def _groups(context: AppState, season: ChosenSeason, by: By) -> schemas.BoardGroups:
    return schemas.BoardGroups.model_validate(board_groups(context.database, season.id, by))

"""Routes about what bots do: reports, explanations, and versions that are asked for in words."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from arena import __version__
from arena.errors import NotFoundError, RefusedError, TooLargeError
from arena.people.ownership import author_for
from arena.people.rights import Caller
from arena.store import queries
from arena.store.behaviour import lineage, sample_group
from arena.store.bundle import Bundle, read_bundle, rows_of
from arena.submissions.behaviour.claims import claims_schema
from arena.submissions.behaviour.explain import explain_tick, explain_trade
from arena.submissions.behaviour.lineage import revision_diff
from arena.submissions.store import Wanted, submission_document
from arena.web import schemas
from arena.web.access import Known
from arena.web.answers import answer, tagged
from arena.web.behaviour_schemas import (
    AnswerRequest,
    BehaviourReportDetail,
    Explanation,
    Lineage,
    LineageItem,
    RevisionRequest,
    SampleQuestion,
)
from arena.web.context import AppState, Chosen, ChosenSeason, Ctx, Waiting
from arena.web.routes_strategies import refuse_beyond
from arena.web.text import json_bytes

MAX_ROWS = 300_000  # ticks and orders that are held in memory, a few hundred MB

router = APIRouter(tags=["behaviour"])

Number = Annotated[int, Path(ge=0, le=queries.MAX_CURSOR)]


@router.get("/claims-schema", response_model=dict[str, Any])
async def schema(request: Request) -> Response:
    """Return the JSON schema of the claims that a model may give beside its code."""
    return tagged(request, json_bytes(claims_schema()))


@router.get("/bots/{bot_id}/behaviour", response_model=BehaviourReportDetail)
async def behaviour(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return what a bot does on made-up markets; a handwritten bot is played when it is first asked for."""
    return await answer(lines.writes, request, _behaviour, context, season, bot_id)


def _behaviour(context: AppState, season: ChosenSeason, bot_id: str) -> BehaviourReportDetail:
    found = queries.find_bot(context.database, season.id, bot_id)
    document = context.intake.stored_report(found)
    if document is None:
        source, row = queries.source_of(context.database, found), queries.bot_row(context.database, season.id, found)
        submission_id = row.get("submission_id")
        words = context.desk.get(submission_id).prompt if submission_id else ""
        document = _report(context, source, words)
        context.intake.keep_report(found, document)
    return BehaviourReportDetail.model_validate(document)


def _report(context: AppState, source: str, words: str) -> dict[str, Any]:
    examined = context.intake.check(source.encode())
    if not examined.accepted:
        raise RefusedError("The present policy refuses the source.", examined.violations)
    return context.intake.behaviour(examined, source, words).as_dict()


def _bundle(context: AppState, season: ChosenSeason, bot_id: str) -> Bundle:
    found = queries.find_bot(context.database, season.id, bot_id)
    if rows_of(context.database, season.id, found) > MAX_ROWS:
        raise TooLargeError(f"The record has more than {MAX_ROWS:,} ticks and orders, which is too long to run again.")
    return read_bundle(context.database, season.id, found, __version__)


@router.get("/bots/{bot_id}/trades/{number}/explain", response_model=Explanation)
async def explain_a_trade(
    request: Request, bot_id: str, number: Number, context: Ctx, season: Chosen, lines: Waiting
) -> Response:
    """Explain a trade, by its id: the line that ordered, the conditions with their values, and what it has brought."""
    return await answer(lines.writes, request, trade_explanation, context, season, bot_id, number)


def trade_explanation(context: AppState, season: ChosenSeason, bot_id: str, number: int) -> Explanation:
    """Return why a bot made a trade."""
    return Explanation.model_validate(explain_trade(context.pool, _bundle(context, season, bot_id), number))


@router.get("/bots/{bot_id}/ticks/{number}/explain", response_model=Explanation)
async def explain_a_tick(
    request: Request, bot_id: str, number: Number, context: Ctx, season: Chosen, lines: Waiting
) -> Response:
    """Explain what a bot did at a tick, or why it did not trade there."""
    return await answer(lines.writes, request, tick_explanation, context, season, bot_id, number)


def tick_explanation(context: AppState, season: ChosenSeason, bot_id: str, number: int) -> Explanation:
    """Return what a bot did at a tick."""
    return Explanation.model_validate(explain_tick(context.pool, _bundle(context, season, bot_id), number))


@router.post("/bots/{bot_id}/revise", status_code=202, response_model=schemas.SubmissionDetail)
async def revise(
    request: Request, bot_id: str, body: RevisionRequest, context: Ctx, season: Chosen, lines: Waiting, caller: Known
) -> Response:
    """Have a new version of a bot written; it is a new entrant with an account of its own, and counts as a trial."""
    context.refuse_if_closed()
    return await lines.writes.run(request, _revise, context, season, bot_id, body, caller)


def _revise(
    context: AppState, season: ChosenSeason, bot_id: str, body: RevisionRequest, caller: Caller
) -> Response:  # fmt: skip
    found = queries.find_bot(context.database, season.id, bot_id)
    models = context.pipeline.models
    model = body.model or models.default
    if body.model and models.named and not models.knows(body.model):
        raise RefusedError(models.unknown(body.model))
    author, owner_id = author_for(context.database, caller, body.author)
    wanted = Wanted(body.words, author, model, parent_id=found, owner_id=owner_id)
    (row,) = context.pipeline.hand_in([wanted], allow=lambda: refuse_beyond(context, caller, 1))
    shown = schemas.SubmissionDetail.model_validate({**submission_document(row), "attempts": []})
    headers = {"location": f"/api/v1/strategies/{row.id}"}
    return Response(json_bytes(shown.model_dump()), 202, headers, media_type="application/json")


@router.get("/bots/{bot_id}/lineage", response_model=Lineage)
async def show_lineage(request: Request, bot_id: str, context: Ctx, season: Chosen, lines: Waiting) -> Response:
    """Return the versions of a bot: who asked for each, by which words, and what changed."""
    return await answer(lines.reads, request, _lineage, context, season, bot_id)


def _lineage(context: AppState, season: ChosenSeason, bot_id: str) -> Lineage:
    found = queries.find_bot(context.database, season.id, bot_id)
    line = lineage(context.database, found)
    sources = {bot.id: bot.source for bot, _ in line}
    items = []
    for bot, revision in line:
        parent = revision.parent_id if revision is not None else None
        items.append(LineageItem(
            bot_id=bot.id, name=bot.bot_name, author=bot.author, model=bot.model, created_at=bot.created_at,
            parent_id=parent, asked_by=revision.author if revision else None,
            words=revision.words if revision else None,
            diff=revision_diff(sources[parent], bot.source) if parent in sources else None,
        ))  # fmt: skip
    return Lineage(items=items)


@router.get("/strategies/{submission_id}/question", response_model=SampleQuestion)
async def question(request: Request, submission_id: str, context: Ctx, lines: Waiting) -> Response:
    """Return what is asked about the samples of a request; 404 while they are being written."""
    return await answer(lines.writes, request, open_question, context, submission_id)


def open_question(context: AppState, submission_id: str) -> SampleQuestion:
    """Return what is asked about the samples of a submission."""
    # A stop may have come between the end of the last sample and the comparison.
    context.pipeline.settle(submission_id)
    submission = context.desk.get(submission_id)
    group = sample_group(context.database, submission.group_id) if submission.group_id else None
    if group is None or not group.document:
        raise NotFoundError("Nothing is asked about this submission: there is one sample, or some are being written.")
    return SampleQuestion.model_validate({**group.document, "chosen": group.chosen})


@router.post("/strategies/{submission_id}/answer", response_model=SampleQuestion)
async def answer_question(
    request: Request, submission_id: str, body: AnswerRequest, context: Ctx, lines: Waiting
) -> Response:
    """Answer the question: the bot of the choice goes on, those of the others are retired."""
    return await answer(lines.writes, request, give_answer, context, submission_id, body.choice)


def give_answer(context: AppState, submission_id: str, choice: int) -> SampleQuestion:
    """Answer it."""
    return SampleQuestion.model_validate(context.pipeline.answer(submission_id, choice))

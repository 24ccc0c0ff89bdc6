"""Routes about strategy prompts."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request, Response
from sse_starlette import EventSourceResponse

from arena.errors import ConflictError, RefusedError
from arena.people.integrity import refuse_imitation
from arena.people.ownership import author_for
from arena.people.quotas import DailyQuota, QuotaLimits, running_bots
from arena.people.rights import Caller
from arena.store.seasons import new_id
from arena.submissions.states import FINAL
from arena.submissions.store import Wanted, author_of, submission_document
from arena.web import schemas
from arena.web.access import Known
from arena.web.answers import answer
from arena.web.context import AppState, Ctx, Waiting
from arena.web.limits import ConcurrencyLimits, Placed
from arena.web.text import json_bytes

router = APIRouter(prefix="/strategies", tags=["strategies"])

_JSON = "application/json"


@router.post(
    "", status_code=202, response_model=schemas.SubmissionDetail | schemas.SubmissionGroup,
    responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def submit(
    request: Request,
    body: schemas.StrategyRequest,
    context: Ctx,
    lines: Waiting,
    caller: Known,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Submit a strategy in plain words; a bot is written, checked, tried and admitted.

    A request with an `Idempotency-Key` that the author has used before is answered with what became of the first;
    where its body is another one it is refused.
    """
    context.refuse_if_closed()
    return await lines.writes.run(request, _submit, context, body, idempotency_key, caller)


def _submit(context: AppState, body: schemas.StrategyRequest, key: str | None, caller: Caller) -> Response:
    items, group_id = hand_in(context, body, key, caller)
    if group_id is not None:
        group = schemas.SubmissionGroup.model_validate({"items": items, "group_id": group_id})
        return Response(json_bytes(group.model_dump()), 202, media_type=_JSON)
    shown = schemas.SubmissionDetail.model_validate(items[0])
    headers = {"location": f"/api/v1/strategies/{shown.id}"}
    return Response(json_bytes(shown.model_dump()), 202, headers, media_type=_JSON)


def hand_in(
    context: AppState, body: schemas.StrategyRequest, key: str | None, caller: Caller
) -> tuple[list[dict[str, Any]], str | None]:
    """Hand a strategy in for a caller; return its submissions, and the id of their group where they are several."""
    owner = author_for(context.database, caller, body.author)
    if body.name:
        refuse_imitation(context.database, context.season_id, body.name, *owner)
    requested = [*body.models, *([body.model] if body.model else [])]
    names = requested or [context.pipeline.models.default]
    _refuse_unknown(context, names)
    each = [name for name in names for _ in range(body.samples)]
    wanted = [_wanted(body, model, key, number, owner) for number, model in enumerate(each)]
    if len(wanted) > 1:
        rows = context.pipeline.hand_in(wanted, new_id(), lambda: refuse_beyond(context, caller, len(wanted)))
        return [{**submission_document(row), "attempts": []} for row in rows], rows[0].group_id
    (row,) = context.pipeline.hand_in(wanted, allow=lambda: refuse_beyond(context, caller, 1))
    return [{**submission_document(row), "attempts": []}], None


def refuse_beyond(context: AppState, caller: Caller, count: int) -> None:
    """Raise ConflictError or BusyError where a caller may not hand in so many more strategies."""
    limits = QuotaLimits.of(context.settings)
    if limits.bots and caller.user_id is not None and not caller.admin:
        running = running_bots(context.database, context.season_id, caller.user_id)
        if running + count > limits.bots:
            raise ConflictError(
                f"You have {running} bots in this season and may have {limits.bots} (BOTS_PER_USER); retire one first."
            )
    DailyQuota(context.database, limits).take(caller, count)


def _refuse_unknown(context: AppState, names: list[str]) -> None:
    models = context.pipeline.models
    for name in names:
        # Where no model is set up at all, the submission itself says what to set.
        if models.named and not models.knows(name):
            raise RefusedError(models.unknown(name))


def _wanted(
    body: schemas.StrategyRequest, model: str, key: str | None, number: int, owner: tuple[str, str | None]
) -> Wanted:
    # An author's key is the author's own, and nobody can find another's by guessing.
    author, owner_id = owner
    own_key = None if key is None else _hash([author_of(author), key, number])
    asked = _hash(body.model_dump())
    return Wanted(body.prompt, author, model, body.name, own_key, asked, keep=body.keep, owner_id=owner_id)


def _hash(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value)).hexdigest()


@router.get("/{submission_id}", response_model=schemas.SubmissionDetail)
async def show(request: Request, submission_id: str, context: Ctx, lines: Waiting) -> Response:
    """Show a submission with every attempt."""
    return await answer(lines.reads, request, show_submission, context, submission_id)


def show_submission(context: AppState, submission_id: str) -> schemas.SubmissionDetail:
    """Return a submission with every attempt."""
    return schemas.SubmissionDetail.model_validate(context.desk.document(submission_id))


@router.post("/{submission_id}/cancel", response_model=schemas.SubmissionDetail)
async def cancel(request: Request, submission_id: str, context: Ctx, lines: Waiting) -> Response:
    """Cancel a submission and break off the answer that is being written; 409 where it has ended already."""
    return await lines.writes.run(request, _cancel, context, submission_id)


def _cancel(context: AppState, submission_id: str) -> Response:
    context.pipeline.cancel(submission_id)
    return Response(json_bytes(show_submission(context, submission_id).model_dump()), media_type=_JSON)


@router.get("/{submission_id}/events", response_class=EventSourceResponse, responses=schemas.EVENT_STREAM)
async def events(request: Request, submission_id: str, context: Ctx, lines: Waiting) -> Response:
    """Stream a submission's states until it ends, and a model's answer as it is written (server-sent events).

    `submission` is the whole submission at each of its moves; `text` adds to the text of an attempt from a place on:
    `{id, attempt, offset, text}`. Whoever comes back is told the submission as it stands, and the text so far.
    """
    await lines.reads.run(request, context.desk.get, submission_id)
    return Placed(lines.streams, request, EventSourceResponse(_moves(request, context, lines, submission_id)))


async def _moves(
    request: Request, context: AppState, lines: ConcurrencyLimits, submission_id: str
) -> AsyncIterator[dict[str, str]]:
    # Listening begins before the row is read: a move in between would else never be told.
    with context.pipeline.live.listening() as stream:
        newest = context.pipeline.live.last_id
        document = await lines.reads.run(request, context.desk.document, submission_id)
        yield {"event": "submission", "id": newest, "data": json_bytes(document).decode()}
        if document["status"] in FINAL:
            return
        written = context.pipeline.text_of(submission_id)
        if written is not None and written["text"]:
            yield {"event": "text", "id": newest, "data": json_bytes(written).decode()}
        async for event in stream:
            if event.data["id"] != submission_id:
                continue
            if event.kind == "text":
                yield {"event": "text", "id": event.id, "data": event.text}
                continue
            document = await lines.reads.run(request, context.desk.document, submission_id)
            yield {"event": "submission", "id": event.id, "data": json_bytes(document).decode()}
            if document["status"] in FINAL:
                return

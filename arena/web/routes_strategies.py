"""Routes about strategy prompts."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request, Response
from sse_starlette import EventSourceResponse

from arena.core.text import clean_name
from arena.store.models import Submission
from arena.store.seasons import new_id
from arena.submissions.pipeline import model_choices
from arena.submissions.states import FINAL
from arena.submissions.store import submission_document
from arena.web import schemas
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
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Submit a strategy in plain words; a bot is written, checked, tried and admitted.

    A request with an `Idempotency-Key` that the author has used before is answered with what became of the first;
    where its body is another one it is refused.
    """
    context.refuse_if_closed()
    return await lines.writes.run(request, _submit, context, body, idempotency_key)


def _submit(context: AppState, body: schemas.StrategyRequest, key: str | None) -> Response:
    requested = [*body.models, *([body.model] if body.model else [])]
    models = model_choices(requested, context.settings.openai_model)
    if len(models) * body.samples > 1:
        return Response(json_bytes(_submit_group(context, body, models, key).model_dump()), 202, media_type=_JSON)
    row = _take(context, body, models[0], None, key, 0)
    shown = schemas.SubmissionDetail.model_validate({**submission_document(row), "attempts": []})
    headers = {"location": f"/api/v1/strategies/{row.id}"}
    return Response(json_bytes(shown.model_dump()), 202, headers, media_type=_JSON)


def _submit_group(
    context: AppState, body: schemas.StrategyRequest, models: list[str], key: str | None
) -> schemas.SubmissionGroup:
    group_id = new_id()
    wanted = [model for model in models for _ in range(body.samples)]
    rows = [_take(context, body, model, group_id, key, number) for number, model in enumerate(wanted)]
    items = [{**submission_document(row), "attempts": []} for row in rows]
    return schemas.SubmissionGroup.model_validate({"items": items, "group_id": rows[0].group_id or group_id})


def _take(
    context: AppState, body: schemas.StrategyRequest, model: str, group_id: str | None, key: str | None, number: int
) -> Submission:
    # An author's key is the author's own, and nobody can find another's by guessing.
    own_key = None if key is None else _hash([clean_name(body.author) or "local", key, number])
    row, is_new = context.desk.take(
        body.prompt, author=body.author, model=model, name=body.name, group_id=group_id,
        idempotency_key=own_key, request_hash=_hash(body.model_dump()),
    )  # fmt: skip
    if is_new:
        context.pipeline.submit(row.id)
    return row


def _hash(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value)).hexdigest()


@router.get("/{submission_id}", response_model=schemas.SubmissionDetail)
async def show(request: Request, submission_id: str, context: Ctx, lines: Waiting) -> Response:
    """Show a submission with every attempt."""
    return await answer(lines.reads, request, _show, context, submission_id)


def _show(context: AppState, submission_id: str) -> schemas.SubmissionDetail:
    return schemas.SubmissionDetail.model_validate(context.desk.document(submission_id))


@router.get("/{submission_id}/events", response_class=EventSourceResponse, responses=schemas.EVENT_STREAM)
async def events(request: Request, submission_id: str, context: Ctx, lines: Waiting) -> Response:
    """Stream a submission's states until it ends (server-sent events)."""
    await lines.reads.run(request, context.desk.get, submission_id)
    return Placed(lines.streams, request, EventSourceResponse(_moves(request, context, lines, submission_id)))


async def _moves(
    request: Request, context: AppState, lines: ConcurrencyLimits, submission_id: str
) -> AsyncIterator[dict[str, str]]:
    # Listening begins before the row is read: a move in between would else never be told.
    with context.broadcast.listening() as stream:
        document = await lines.reads.run(request, context.desk.document, submission_id)
        yield {"event": "submission", "data": json_bytes(document).decode()}
        if document["status"] in FINAL:
            return
        async for event in stream:
            if event.kind != "submission" or event.data["id"] != submission_id:
                continue
            document = await lines.reads.run(request, context.desk.document, submission_id)
            yield {"event": "submission", "data": json_bytes(document).decode()}
            if document["status"] in FINAL:
                return

"""Routes about strategy prompts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from arena.store.models import Submission
from arena.store.seasons import new_id
from arena.submissions.desk import submission_document
from arena.submissions.pipeline import model_choices
from arena.submissions.states import FINAL
from arena.web import schemas
from arena.web.context import Context, Ctx

router = APIRouter(prefix="/strategies", tags=["strategies"])

_PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": schemas.Problem}}


@router.post("", status_code=202)
def submit(
    body: schemas.StrategyRequest,
    response: Response,
    context: Ctx,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> schemas.Submission | schemas.SubmissionGroup:
    """Submit a strategy in plain words; a bot is written, checked, tried and admitted."""
    requested = [*body.models, *([body.model] if body.model else [])]
    models = model_choices(requested, context.settings.openai_model)
    if len(models) * body.samples == 1:
        row = _take(context, body, models[0], None, idempotency_key)
        response.headers["location"] = f"/api/v1/strategies/{row.id}"
        return schemas.Submission.model_validate({**submission_document(row), "attempts": []})
    return _submit_group(context, body, models, idempotency_key)


def _submit_group(
    context: Context, body: schemas.StrategyRequest, models: list[str], key: str | None
) -> schemas.SubmissionGroup:
    group_id = new_id()
    rows = []
    for number, model in enumerate(model for model in models for _ in range(body.samples)):
        own_key = f"{key}#{number}" if key else None
        rows.append(_take(context, body, model, group_id, own_key))
    items = [{**submission_document(row), "attempts": []} for row in rows]
    return schemas.SubmissionGroup.model_validate({"items": items, "group_id": rows[0].group_id or group_id})


def _take(
    context: Context, body: schemas.StrategyRequest, model: str, group_id: str | None, key: str | None
) -> Submission:
    row, is_new = context.desk.take(
        body.prompt, author=body.author, model=model, name=body.name, group_id=group_id,
        idempotency_key=key,
    )  # fmt: skip
    if is_new:
        context.pipeline.submit(row.id)
    return row


@router.get("/{submission_id}", responses=_PROBLEMS)
def show(submission_id: str, context: Ctx) -> schemas.Submission:
    """Show a submission with every attempt."""
    return schemas.Submission.model_validate(context.desk.document(submission_id))


@router.get(
    "/{submission_id}/events", response_class=EventSourceResponse,
    responses={**_PROBLEMS, **schemas.EVENT_STREAM},
)  # fmt: skip
async def events(submission_id: str, context: Ctx) -> EventSourceResponse:
    """Stream a submission's states until it ends (server-sent events)."""
    await run_in_threadpool(context.desk.get, submission_id)
    return EventSourceResponse(_moves(context, submission_id))


async def _moves(context: Context, submission_id: str) -> AsyncIterator[dict[str, str]]:
    # Listening begins before the row is read: a move in between would else never be told.
    with context.broadcast.listening() as stream:
        document = await run_in_threadpool(context.desk.document, submission_id)
        yield {"event": "submission", "data": json.dumps(document)}
        if document["status"] in FINAL:
            return
        async for event in stream:
            if event.kind != "submission" or event.data["id"] != submission_id:
                continue
            document = await run_in_threadpool(context.desk.document, submission_id)
            yield {"event": "submission", "data": json.dumps(document)}
            if document["status"] in FINAL:
                return

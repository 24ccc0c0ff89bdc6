"""Routes about the models that write bots."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from arena.submissions.store import author_of
from arena.web.answers import answer
from arena.web.context import AppState, Ctx, Waiting

router = APIRouter(prefix="/models", tags=["strategies"])


class Model(BaseModel):
    """A model that can be named by `model` or `models`; prices are US dollars for a million tokens."""

    name: str
    model: str | None
    host: str | None
    default: bool
    concurrency: int
    context: int | None
    max_tokens: int | None
    stream: bool
    price_in: float | None
    price_out: float | None


class Budget(BaseModel):
    """A limit of tokens or US dollars for a submission, or for an author or all on a UTC day."""

    scope: str
    unit: str
    limit: float
    used: float | None
    left: float | None
    resets_at: float | None


class ModelList(BaseModel):
    """The models, the usual one first, and the budgets with what is left of them."""

    items: list[Model]
    budgets: list[Budget]


@router.get("", response_model=ModelList)
async def models(
    request: Request,
    context: Ctx,
    lines: Waiting,
    author: Annotated[str | None, Query(max_length=80, description="Whose budget is shown.")] = None,
) -> Response:
    """List the models that write bots, and what is left of the budgets."""
    return await answer(lines.reads, request, _models, context, author)


def _models(context: AppState, author: str | None) -> ModelList:
    pipeline = context.pipeline
    budgets = pipeline.budgets.documents(None if author is None else author_of(author))
    return ModelList.model_validate({"items": pipeline.models.documents(), "budgets": budgets})

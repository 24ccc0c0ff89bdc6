"""Routes about webhooks: to whom what happens is told."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from arena.people.rights import Caller
from arena.store import queries
from arena.web.access import Known
from arena.web.answers import answer
from arena.web.context import AppState, Ctx, Waiting
from arena.web.text import json_bytes
from arena.webhooks import registry
from arena.webhooks.addresses import ADDRESS
from arena.webhooks.events import ASKED
from arena.webhooks.notify import is_service

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


class WebhookRequest(BaseModel):
    """Where events are to be sent."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://example.org/arena", "events": ["trade", "quarantined"]}]},
    )

    # Both patterns stand in the API's document only: the registry says in words what is wrong.
    url: str = Field(
        min_length=1, max_length=2000, description="An address of a web server, or of Apprise (admin).",
        json_schema_extra={"pattern": ADDRESS},
    )  # fmt: skip
    events: list[str] = Field(
        [], max_length=20, description=f"Of {', '.join(ASKED)}; none means all.",
        json_schema_extra={"items": {"type": "string", "enum": [str(each) for each in ASKED]}},
    )  # fmt: skip
    bot: str | None = Field(None, max_length=200, description="Id or name: only this bot's events.")


class DeliveryItem(BaseModel):
    """An event on its way, or what became of it."""

    id: str
    event: str
    status: str = Field(description="waiting, delivered or failed.")
    tries: int
    answer: str = Field(description="What the receiver said last.")
    created_at: float


class WebhookItem(BaseModel):
    """A webhook; `deliveries` are its newest."""

    id: str
    owner_id: str | None
    url: str
    events: list[str]
    bot_id: str | None
    created_at: float
    deliveries: list[DeliveryItem] = []


class NewWebhook(WebhookItem):
    """A webhook that was just added."""

    secret: str = Field(description="Signs every event; shown this once.")


class WebhookList(BaseModel):
    """Webhooks, the oldest first."""

    items: list[WebhookItem]


class WebhookTest(BaseModel):
    """What came of a test."""

    delivered: bool
    answer: str


@router.get("", response_model=WebhookList)
async def webhooks(request: Request, context: Ctx, lines: Waiting, caller: Known) -> Response:
    """List your webhooks with their newest deliveries; an admin sees everybody's."""
    return await answer(lines.reads, request, _list, context, caller)


def _list(context: AppState, caller: Caller) -> WebhookList:
    rows = registry.list_webhooks(context.database, caller.user_id, everybodys=caller.admin)
    return WebhookList.model_validate({"items": rows})


@router.post("", status_code=201, response_model=NewWebhook)
async def add(request: Request, body: WebhookRequest, context: Ctx, lines: Waiting, caller: Known) -> Response:
    """Have events sent to an address, signed; the secret is shown in this answer and never again.

    A user's webhook gets the events of the user's own bots, or of the `bot` that it names; without accounts it gets
    those of all bots. The end of a season is for everybody.
    """
    return await lines.writes.run(request, _add, context, body, caller)


def _add(context: AppState, body: WebhookRequest, caller: Caller) -> Response:
    if is_service(body.url) and not caller.admin:
        raise HTTPException(403, "Only an admin adds addresses other than https:// and http://.")
    bot_id = queries.find_bot(context.database, context.season_id, body.bot) if body.bot else None
    row = registry.add_webhook(
        context.database, body.url, body.events, owner_id=caller.user_id, bot_id=bot_id, services=caller.admin
    )
    shown: dict[str, Any] = {**registry.without_secret(row), "secret": row["secret"]}
    document = NewWebhook.model_validate(shown)
    headers = {"location": f"/api/v1/webhooks/{row['id']}", "cache-control": "no-store"}
    return Response(json_bytes(document.model_dump()), 201, headers, media_type="application/json")


@router.post("/{webhook_id}/test", response_model=WebhookTest)
async def test(request: Request, webhook_id: str, context: Ctx, lines: Waiting) -> Response:
    """Send an event `test` at once and say what the receiver answered."""
    return await answer(lines.webhook_tests, request, _test, context, webhook_id)


def _test(context: AppState, webhook_id: str) -> WebhookTest:
    return WebhookTest.model_validate(context.outbox.test(webhook_id))


@router.delete("/{webhook_id}", status_code=204)
async def remove(request: Request, webhook_id: str, context: Ctx, lines: Waiting) -> None:
    """Send nothing more there; what waits is dropped."""
    await lines.writes.run(request, registry.remove_webhook, context.database, webhook_id)

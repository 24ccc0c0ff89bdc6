"""The webhooks there are: added, listed, removed."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, delete, func, select

from arena.errors import ConflictError, NotFoundError, RefusedError
from arena.store.bulk import Row, insert_rows, table_of
from arena.store.database import wait_turn
from arena.store.models import Trade
from arena.store.people import User
from arena.store.seasons import new_id
from arena.store.webhooks import Webhook, WebhookDelivery
from arena.webhooks.addresses import check_url
from arena.webhooks.events import ASKED
from arena.webhooks.notify import check_service, is_service

MAX_WEBHOOKS = 20  # of one owner
_SHOWN = 20  # deliveries of one webhook
_HOOKS, _DELIVERIES, _TRADES, _USERS = (table_of(each) for each in (Webhook, WebhookDelivery, Trade, User))


def add_webhook(
    database: Engine, url: str, events: Sequence[str], *, owner_id: str | None, bot_id: str | None = None,
    services: bool = False,
) -> Row:  # fmt: skip
    """Add a webhook and return it with its secret; `services`: addresses of Apprise are taken too."""
    unknown = sorted(set(events) - set(ASKED))
    if unknown:
        raise RefusedError(f"There is no event '{unknown[0][:40]}'; there are {', '.join(ASKED)}.")
    if is_service(url):
        if not services:
            raise RefusedError("Only an admin adds addresses other than https:// and http://.")
        check_service(url)
    else:
        check_url(url)
    row: Row = {
        "id": new_id(), "owner_id": owner_id, "url": url, "bot_id": bot_id, "events": sorted(set(events)),
        "secret": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}", "created_at": time.time(),
    }  # fmt: skip
    with database.connect() as connection:
        row["after_trade"] = connection.execute(select(func.max(_TRADES.c.id))).scalar() or 0
    mine = select(func.count()).select_from(_HOOKS).where(_HOOKS.c.owner_id == owner_id)
    with database.begin() as connection:
        wait_turn(connection, f"webhooks of {owner_id}")
        insert_rows(connection, Webhook, [row])
        if connection.execute(mine).scalar_one() > MAX_WEBHOOKS:
            raise ConflictError(f"There are {MAX_WEBHOOKS} webhooks already: remove one first.")
    return row


def list_rows(database: Engine, owner_id: str | None = None, *, everybodys: bool = False) -> list[Row]:
    """Return the webhooks of an owner, those of nobody, or everybody's, the oldest first."""
    query = select(_HOOKS).order_by(_HOOKS.c.id)
    if not everybodys:
        query = query.where(_HOOKS.c.owner_id == owner_id)
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def rows_to_tell(database: Engine) -> list[Row]:
    """Return the webhooks that are told of events: all but those of users who are disabled."""
    query = select(_HOOKS).outerjoin(_USERS, _USERS.c.id == _HOOKS.c.owner_id).where(_USERS.c.disabled_at.is_(None))
    with database.connect() as connection:
        return [dict(row) for row in connection.execute(query.order_by(_HOOKS.c.id)).mappings()]


def list_webhooks(database: Engine, owner_id: str | None = None, *, everybodys: bool = False) -> list[Row]:
    """Return webhooks without their secrets, each with its newest deliveries."""
    shown = []
    for row in list_rows(database, owner_id, everybodys=everybodys):
        query = select(_DELIVERIES).where(_DELIVERIES.c.webhook_id == row["id"]).order_by(_DELIVERIES.c.id.desc())
        with database.connect() as connection:
            made = [dict(one) for one in connection.execute(query.limit(_SHOWN)).mappings()]
        names = ("id", "event", "status", "tries", "answer", "created_at")
        deliveries = [{name: one[name] for name in names} for one in made]
        shown.append({**without_secret(row), "deliveries": deliveries})
    return shown


def without_secret(row: Row) -> dict[str, Any]:
    """Return a webhook as it is shown; of other services the address is a secret too."""
    url = row["url"]
    shown = f"{url.partition('://')[0]}://…" if is_service(url) else url
    return {**{name: value for name, value in row.items() if name not in {"secret", "after_trade"}}, "url": shown}


def get_webhook(database: Engine, webhook_id: str) -> Row:
    """Return a webhook; NotFoundError if there is none."""
    with database.connect() as connection:
        found = connection.execute(select(_HOOKS).where(_HOOKS.c.id == webhook_id)).mappings().first()
    if found is None:
        raise NotFoundError("There is no such webhook; `arena webhooks list` shows those there are.")
    return dict(found)


def remove_webhook(database: Engine, webhook_id: str) -> None:
    """Remove a webhook with all that waits for it."""
    get_webhook(database, webhook_id)
    with database.begin() as connection:
        connection.execute(delete(_DELIVERIES).where(_DELIVERIES.c.webhook_id == webhook_id))
        connection.execute(delete(_HOOKS).where(_HOOKS.c.id == webhook_id))

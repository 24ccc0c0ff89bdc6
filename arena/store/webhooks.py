"""The tables of webhooks: where events are sent, the outbox, and up to where the record has been read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Text
from sqlmodel import Field, SQLModel

_BIG = BigInteger().with_variant(Integer, "sqlite")


class Webhook(SQLModel, table=True):
    """An address that events are sent to; `secret` signs them, so that it is stored as it is.

    No `events` means all of them. Without `bot_id` it gets those of its owner's bots, or of all where it has no owner.
    Trades are told from the one after `after_trade` on.
    """

    __tablename__ = "webhooks"

    id: str = Field(primary_key=True)
    owner_id: str | None = Field(default=None, index=True)
    url: str = Field(sa_column=Column(Text, nullable=False))
    secret: str
    events: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    bot_id: str | None = None
    created_at: float
    after_trade: int = Field(default=0, sa_column=Column(_BIG, nullable=False))


class WebhookDelivery(SQLModel, table=True):
    """An event on its way to one address: due again at `due_at`, or over, with what the receiver answered."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index("ix_webhook_deliveries_due", "status", "due_at"),)

    id: str = Field(primary_key=True)
    webhook_id: str = Field(index=True)
    event: str
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: float
    status: str  # waiting, delivered or failed
    tries: int = 0
    due_at: float
    answer: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class WebhookCursor(SQLModel, table=True):
    """Up to where a source of events has been read."""

    __tablename__ = "webhook_cursors"

    source: str = Field(primary_key=True)
    place: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))

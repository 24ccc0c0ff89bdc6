"""What webhooks are told of, and whom each event is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """The events; `test` is sent on request alone."""

    ADMITTED = "admitted"
    REJECTED = "rejected"
    TRADE = "trade"
    ERROR = "error"
    QUARANTINED = "quarantined"
    RANK = "rank"
    SEASON_END = "season.end"
    TEST = "test"


ASKED = tuple(kind for kind in EventKind if kind is not EventKind.TEST)


@dataclass(frozen=True, slots=True)
class Happening:
    """An event with the bot that it is about, and that bot's owner; a season's end is for everybody."""

    kind: EventKind
    data: dict[str, Any]
    bot_id: str | None = None
    owner_id: str | None = None

    def is_for(self, owner_id: str | None, bot_id: str | None, events: list[str]) -> bool:
        """Say whether a webhook of this owner, about this bot and these events, is told of it."""
        if events and self.kind not in events:
            return False
        if self.kind is EventKind.SEASON_END:
            return True
        if bot_id is not None:
            return bot_id == self.bot_id
        return owner_id is None or owner_id == self.owner_id

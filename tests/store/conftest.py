"""A season with bots in a database, made by the same functions that the server uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine as Database

from arena.core.exchange import Rules
from arena.store.models import Bot, Entry, Season
from arena.store.seasons import Enrolled, NewBot, SeasonPlan, enrol, resume_or_open

PLAN = SeasonPlan("synthetic", ("BTCUSDT", "ETHUSDT"), 1.0, Rules(), 7)


@dataclass
class Books:
    """A database with one open season."""

    database: Database
    season: Season

    def enrol(self, name: str, source: str = "x", author: str = "local", origin: str = "upload") -> Enrolled:
        new = NewBot(name, author, origin, source, f"hash of {source}", ("BTCUSDT",))
        return enrol(self.database, self.season.id, new, tick=0)

    def admit(self, name: str, source: str = "x", author: str = "local", origin: str = "upload") -> Bot:
        """Let a bot take part and return it."""
        return self.enrol(name, source, author, origin).bot


@pytest.fixture
def books(database: Database) -> Books:
    season, _ = resume_or_open(database, PLAN, runtime={})
    return Books(database, season)


@pytest.fixture
def set_status(books: Books) -> Callable[[str, str], None]:
    """Set the status of an entry."""
    from sqlalchemy import update

    from arena.store.bulk import table_of

    def change(bot_id: str, status: str) -> None:
        table = table_of(Entry)
        with books.database.begin() as connection:
            connection.execute(update(table).where(table.c.bot_id == bot_id).values(status=status))

    return change

"""The requests that feeds with a daily budget have made: they count on after a restart."""

from __future__ import annotations

from sqlalchemy import Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from arena.store.bulk import table_of
from arena.store.models import FeedUsage


class DatabaseUsage:
    """The usage of one feed by UTC day (such as 2026-07-22), in the database."""

    def __init__(self, engine: Engine, feed: str) -> None:
        self._engine = engine
        self._feed = feed

    def used(self, day: str) -> int:
        """Return how many requests were made on a day."""
        table = table_of(FeedUsage)
        query = select(table.c.used).where(table.c.feed == self._feed, table.c.day == day)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def spend(self, day: str, count: int = 1) -> None:
        """Count requests."""
        table = table_of(FeedUsage)
        make = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        row = make(table).values(feed=self._feed, day=day, used=count)
        more = row.on_conflict_do_update(index_elements=["feed", "day"], set_={"used": table.c.used + count})
        with self._engine.begin() as connection:
            connection.execute(more)

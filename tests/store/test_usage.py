"""Requests are counted by feed and day, and the count outlives the server."""

from __future__ import annotations

from sqlalchemy import Engine as Database

from arena.store.usage import DatabaseUsage


def test_requests_are_counted_by_feed_and_day_for_good(database: Database) -> None:
    usage = DatabaseUsage(database, "stockdata")
    assert usage.used("2026-07-22") == 0
    usage.spend("2026-07-22")
    usage.spend("2026-07-22", 4)
    usage.spend("2026-07-23")
    DatabaseUsage(database, "other").spend("2026-07-22", 100)
    again = DatabaseUsage(database, "stockdata")
    assert (again.used("2026-07-22"), again.used("2026-07-23")) == (5, 1)

"""Equity over any span: rows as recorded where they are few, roll-ups where they are many."""

from __future__ import annotations

import pytest

from arena.store import curves
from arena.store.bulk import insert_rows
from arena.store.models import EquityRow
from tests.store.conftest import Books

COUNT = 12_000
START = 1_700_000_000
VALUES = [1e4 + (n * 7919 % 1000) / 7 - n / 11 for n in range(COUNT)]
TIMES = [START + 10.0 * n for n in range(COUNT)]


@pytest.fixture
def long(books: Books) -> Books:
    """A season whose one bot has 12,000 rows, ten seconds apart: more than are read one by one."""
    with books.database.begin() as connection:
        insert_rows(connection, EquityRow, [
            {
                "time": TIMES[n], "bot_name": "A", "equity": VALUES[n], "realized_pnl": n / 7, "unrealized_pnl": n / 9,
                "cash": 1.0, "season_id": books.season.id, "bot_id": "a", "tick": 10 * n,
            }
            for n in range(COUNT)
        ])  # fmt: skip
    return books


def show(books: Books, limit: int, since: float | None = None, until: float | None = None) -> curves.Curve:
    return curves.curve(books.database, books.season.id, "a", limit, since, until)


def test_a_short_span_is_exact(long: Books) -> None:
    found = show(long, 2000, TIMES[5000], TIMES[5500])
    assert (found.points, found.resolution) == (501, 0)
    assert [(row["time"], row["equity"]) for row in found.items] == list(
        zip(TIMES[5000:5501], VALUES[5000:5501], strict=True)
    )
    assert show(long, 2, TIMES[5000], TIMES[5500]).items[-1]["equity"] == VALUES[5500]
    assert show(long, 2000, TIMES[-1] + 1).items == []


@pytest.mark.system
@pytest.mark.parametrize(("limit", "level"), [(2, 3600), (20, 3600), (40, 60), (1500, 60), (20_000, 0)])
def test_a_long_span_is_of_roll_ups_whose_every_item_is_a_row(long: Books, limit: int, level: int) -> None:
    found = show(long, limit)
    assert found.points == COUNT
    assert 2 <= len(found.items) <= limit
    assert (found.items[0]["equity"], found.items[-1]["equity"]) == (VALUES[0], VALUES[-1])
    rows = dict(zip(TIMES, range(COUNT), strict=True))
    for item in found.items:
        n = rows[item["time"]]
        assert (item["equity"], item["realized_pnl"], item["tick"]) == (VALUES[n], n / 7, 10 * n)
    if level == 0:
        assert (found.resolution, len(found.items)) == (0, COUNT)
        return
    assert found.resolution % level == 0
    assert found.resolution > 0
    assert len(found.items) > limit / 3
    # Nothing between the items is lost: highest and lowest are those of all rows.
    stretches = found.items[1:]
    assert max(item["high"] for item in stretches) == max(VALUES)
    assert min(item["low"] for item in stretches) == min(VALUES)
    assert stretches[0]["open"] == VALUES[0]
    for item in stretches:
        mine = [
            v for t, v in zip(TIMES, VALUES, strict=True) if t // found.resolution == item["time"] // found.resolution
        ]
        assert [item[name] for name in ("open", "high", "low", "equity")] == [mine[0], max(mine), min(mine), mine[-1]]


def test_a_season_of_wide_ticks_has_no_roll_ups_and_every_row(books: Books) -> None:
    with books.database.begin() as connection:
        from sqlalchemy import text

        connection.execute(text("UPDATE seasons SET interval = 3600"))
        insert_rows(connection, EquityRow, [
            {
                "time": n * 36000.0, "bot_name": "A", "equity": float(n), "realized_pnl": 0.0, "unrealized_pnl": 0.0,
                "cash": 1.0, "season_id": books.season.id, "bot_id": "a", "tick": 10 * n,
            }
            for n in range(100)
        ])  # fmt: skip
    found = show(books, 2000)
    assert (len(found.items), found.points, found.resolution) == (100, 100, 0)


def test_a_bot_without_rows_has_no_curve(books: Books) -> None:
    assert show(books, 10) == curves.Curve([], 0, 0)

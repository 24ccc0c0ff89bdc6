"""A bot's equity over any span at a cost that does not grow with the season's age.

A short span is answered from the rows as recorded, a longer one from roll-ups: of each stretch its last row, which is
exact, with the first, highest and lowest equity beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, select

from arena.store.bulk import Row, table_of
from arena.store.models import ArchivePart, EntryNumber, EquityRollup, EquityStored
from arena.store.rollups import LEVELS

MAX_ROWS_READ = 10_000  # as recorded, in one answer
MAX_MINUTES_READ = 50_000  # beyond five weeks of them, hours are read
_ROWS, _ROLLUPS, _ENTRIES, _PARTS = (table_of(each) for each in (EquityStored, EquityRollup, EntryNumber, ArchivePart))
_POINT = (_ROWS.c.time, _ROWS.c.equity, _ROWS.c.realized_pnl, _ROWS.c.unrealized_pnl, _ROWS.c.tick, _ROWS.c.id)


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity oldest first; each item stands for `resolution` seconds, 0 where items are rows as recorded.

    `points` is how many rows the span has, of which the items are a part.
    """

    items: list[Row]
    points: int
    resolution: int


def curve(
    engine: Engine, season_id: str, bot_id: str, limit: int, since: float | None = None, until: float | None = None
) -> Curve:
    """Return a bot's equity from `since` to `until`, both included, in at most `limit` items."""
    with engine.connect() as connection:
        entry = connection.execute(
            select(_ENTRIES.c.number).where(_ENTRIES.c.season_id == season_id, _ENTRIES.c.bot_id == bot_id)
        ).scalar()
        if entry is None:
            return Curve([], 0, 0)
        span = _Span(entry, since, until)
        if span.is_bounded(connection, max(limit, MAX_ROWS_READ)) and span.is_kept(connection, season_id):
            return span.recorded(connection, limit)
        return span.rolled_up(connection, limit) or span.recorded(connection, limit)


def equity_curve(engine: Engine, season_id: str, bot_id: str, limit: int) -> list[Row]:
    """Return a bot's equity oldest first, thinned evenly to at most `limit` points."""
    return curve(engine, season_id, bot_id, limit).items


def _rows(connection: Connection, statement: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(statement).mappings()]


@dataclass(frozen=True, slots=True)
class _Span:
    """What is asked for of one entry."""

    entry: int
    since: float | None
    until: float | None

    def of(self, table: Any) -> list[ColumnElement[bool]]:
        """Return the conditions for rows of the span."""
        found = [table.c.entry == self.entry]
        if self.since is not None:
            found.append(table.c.time >= self.since)
        if self.until is not None:
            found.append(table.c.time <= self.until)
        return found

    def stretches(self, seconds: int) -> list[ColumnElement[bool]]:
        """Return the conditions for roll-ups that touch the span."""
        found = [_ROLLUPS.c.entry == self.entry, _ROLLUPS.c.seconds == seconds]
        if self.since is not None:
            found.append(_ROLLUPS.c.start > self.since - seconds)
        if self.until is not None:
            found.append(_ROLLUPS.c.start <= self.until)
        return found

    def is_bounded(self, connection: Connection, most: int) -> bool:
        """Say whether the span has at most so many rows."""
        if self.since is None and self.until is None:
            hourly = select(func.sum(_ROLLUPS.c.rows)).where(*self.stretches(LEVELS[-1]))
            counted = connection.execute(hourly).scalar()
            if counted is not None:
                return int(counted) <= most
        some = select(_ROWS.c.entry).where(*self.of(_ROWS)).limit(most + 1).subquery()
        return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) <= most

    def is_kept(self, connection: Connection, season_id: str) -> bool:
        """Say whether no row of the span was moved to a file."""
        moved = select(func.max(_PARTS.c.last_time)).where(_PARTS.c.season_id == season_id, _PARTS.c.kind == "equity")
        until = connection.execute(moved).scalar()
        return until is None or (self.since is not None and self.since > until)

    def recorded(self, connection: Connection, limit: int) -> Curve:
        """Return rows as recorded, thinned evenly with both ends kept."""
        mine, order = self.of(_ROWS), (_ROWS.c.time, _ROWS.c.id)
        count = int(connection.execute(select(func.count()).select_from(_ROWS).where(*mine)).scalar_one())
        if count <= limit:
            return Curve(_rows(connection, select(*_POINT).where(*mine).order_by(*order)), count, 0)
        # The database picks, so that a long curve is never held whole: the first, the last, and evenly between, each
        # point the first one whose place has passed another of `limit - 1` equal steps.
        place = (func.row_number().over(order_by=order) - 1).label("place")
        numbered = select(*_POINT, place).where(*mine).subquery()
        picked = (numbered.c.place * (limit - 1)) % (count - 1) < limit - 1
        return Curve(_rows(connection, select(numbered).where(picked).order_by(numbered.c.place)), count, 0)

    def rolled_up(self, connection: Connection, limit: int) -> Curve | None:
        """Return roll-ups, several of them as one where there are too many; None if the season has none.

        They are by the hour where that makes `limit` items, or more minutes than `MAX_MINUTES_READ`.
        """
        level = None
        for seconds in reversed(LEVELS):
            first, last, stretches, points = connection.execute(
                select(
                    func.min(_ROLLUPS.c.start), func.max(_ROLLUPS.c.start), func.count(), func.sum(_ROLLUPS.c.rows)
                ).where(*self.stretches(seconds))
            ).one()
            if stretches and (level is None or stretches <= MAX_MINUTES_READ):
                level = seconds, first, last, int(points)
            if stretches >= limit:
                break
        return None if level is None else Curve(*self._grouped(connection, limit, *level))

    def _grouped(
        self, connection: Connection, limit: int, seconds: int, first: int, last: int, points: int
    ) -> tuple[list[Row], int, int]:
        start = self._first_row(connection)
        limit -= len(start)
        width = seconds * -(-((last - first) // seconds + 1) // limit)
        while last // width - first // width + 1 > limit:
            width += seconds
        groups = (
            select(
                func.min(_ROLLUPS.c.start).label("first"), func.max(_ROLLUPS.c.start).label("last"),
                func.max(_ROLLUPS.c.high).label("high"), func.min(_ROLLUPS.c.low).label("low"),
            )
            .where(*self.stretches(seconds)).group_by(_ROLLUPS.c.start // width).subquery()
        )  # fmt: skip
        opens, closes = _ROLLUPS.alias("opens"), _ROLLUPS.alias("closes")
        found = _rows(connection, (
            select(
                closes.c.time, closes.c.close.label("equity"), closes.c.realized_pnl, closes.c.unrealized_pnl,
                closes.c.tick, opens.c.open, groups.c.high, groups.c.low,
            )
            .select_from(groups)
            .join(opens, _is(opens, self.entry, seconds, groups.c.first))
            .join(closes, _is(closes, self.entry, seconds, groups.c.last))
            .order_by(groups.c.first)
        ))  # fmt: skip
        return [*(row for row in start if row["time"] < found[0]["time"]), *found], points, width

    def _first_row(self, connection: Connection) -> list[Row]:
        """Return the row that a curve begins with, where it is kept: the last of a stretch would leave it out."""
        if self.since is not None:
            return []
        query = select(*_POINT).where(*self.of(_ROWS)).order_by(_ROWS.c.time, _ROWS.c.id).limit(1)
        return _rows(connection, query)


def _is(table: Any, entry: int, seconds: int, start: Any) -> ColumnElement[bool]:
    return and_(table.c.entry == entry, table.c.seconds == seconds, table.c.start == start)

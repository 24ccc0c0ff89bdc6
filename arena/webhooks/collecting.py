"""Reads what has happened from the record and puts it into the outbox, each event once.

The clock is left alone: everything is read from the database after it has been written there.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select

from arena.store.bulk import Row, insert_rows, table_of
from arena.store.models import Bot, Entry, Season, Standing, Submission, Trade
from arena.store.webhooks import WebhookCursor, WebhookDelivery
from arena.webhooks.events import EventKind, Happening

LOOK_BACK = 10.0  # seconds: a row may be written a moment after the time that it carries
MOST_WAITING = 5000  # of one webhook; what happens beyond is not told
WAITING = "waiting"
_PAUSE = 60.0  # seconds between two events of one bot about its errors, or about its rank
_BATCH = 1000
_STORE_EVERY = 30.0  # seconds; what is read again after a crash is known by its id
_BOTS, _ENTRIES, _SEASONS, _STANDINGS = (table_of(one) for one in (Bot, Entry, Season, Standing))
_SUBMISSIONS, _TRADES = table_of(Submission), table_of(Trade)
_DELIVERIES, _CURSORS = table_of(WebhookDelivery), table_of(WebhookCursor)


@dataclass(frozen=True, slots=True)
class _Found:
    key: str  # of the event: it is told once
    at: float  # Unix seconds
    what: Happening
    trade: int | None = None


@dataclass(slots=True)
class _Seen:
    """What was known of a bot when it was looked at last, and when it was told of."""

    errors: int
    status: str
    rank: int | None
    error_told: float = 0.0
    rank_told: float = 0.0


@dataclass(slots=True)
class Collector:
    """Fills the outbox; one thread uses it."""

    database: Engine
    _bots: dict[tuple[str, str], _Seen] = field(default_factory=dict)
    _places: dict[str, Any] | None = None
    _stored_at: float = 0.0

    def forget(self) -> None:
        """Begin with the present when there is a webhook again."""
        self._bots.clear()
        self._places = None
        with self.database.connect() as connection:
            known = connection.execute(select(func.count()).select_from(_CURSORS)).scalar_one()
        if known:
            with self.database.begin() as connection:
                connection.execute(delete(_CURSORS))

    def collect(self, hooks: list[Row]) -> int:
        """Put what has happened since the last time into the outbox; return how many deliveries are new."""
        now = time.time()
        # Read first, write afterwards: a transaction that reads for long would be in the clock's way.
        with self.database.connect() as connection:
            if self._places is None:
                self._places = {row.source: row.place for row in connection.execute(select(_CURSORS))}
            places = dict(self._places)
            places.setdefault("trades", {"id": min(hook["after_trade"] for hook in hooks)})
            found = list(self._since(connection, places, now))
            rows = [row for hook in hooks for row in self._deliveries(connection, hook, found, now)]
        if rows or now - self._stored_at >= _STORE_EVERY:
            cursors = [{"source": source, "place": place} for source, place in places.items()]
            with self.database.begin() as connection:
                if rows:
                    insert_rows(connection, WebhookDelivery, rows)
                connection.execute(delete(_CURSORS))
                insert_rows(connection, WebhookCursor, cursors)
            self._stored_at = now
        self._places = places
        return len(rows)

    def _deliveries(self, connection: Connection, hook: Row, found: list[_Found], now: float) -> list[Row]:
        wanted = [
            one for one in found
            if (one.at >= hook["created_at"] if one.trade is None else one.trade > hook["after_trade"])
            and one.what.is_for(hook["owner_id"], hook["bot_id"], hook["events"])
        ]  # fmt: skip
        if not wanted:
            return []
        named = {_delivery_id(hook["id"], one.key): one for one in wanted}
        known = set(connection.execute(select(_DELIVERIES.c.id).where(_DELIVERIES.c.id.in_(list(named)))).scalars())
        waiting = connection.execute(
            select(func.count()).where(_DELIVERIES.c.webhook_id == hook["id"], _DELIVERIES.c.status == WAITING)
        ).scalar_one()
        rows = [
            {
                "id": name, "webhook_id": hook["id"], "event": str(one.what.kind), "data": one.what.data,
                "created_at": now, "status": WAITING, "tries": 0, "due_at": now, "answer": "",
            }
            for name, one in named.items() if name not in known
        ]  # fmt: skip
        return rows[: max(0, MOST_WAITING - waiting)]

    # -- sources

    def _since(self, connection: Connection, places: dict[str, Any], now: float) -> Iterator[_Found]:
        """Yield what has happened and move the places on."""
        begun = places.setdefault("times", {"from": now})
        since = begun["from"] - LOOK_BACK
        yield from self._admitted(connection, since)
        yield from self._rejected(connection, since)
        yield from self._seasons(connection, since)
        places["times"] = {"from": now}
        yield from self._trades(connection, places)
        yield from self._changes(connection, now)

    def _admitted(self, connection: Connection, since: float) -> Iterator[_Found]:
        for row in connection.execute(select(_BOTS).where(_BOTS.c.created_at > since)):
            data = {
                "bot_id": row.id, "bot_name": row.bot_name, "author": row.author, "model": row.model,
                "submission_id": row.submission_id,
            }  # fmt: skip
            what = Happening(EventKind.ADMITTED, data, row.id, row.owner_id)
            yield _Found(f"admitted {row.id}", row.created_at, what)

    def _rejected(self, connection: Connection, since: float) -> Iterator[_Found]:
        ended = _SUBMISSIONS.c.status.in_(["rejected", "failed"])
        for row in connection.execute(select(_SUBMISSIONS).where(ended, _SUBMISSIONS.c.updated_at > since)):
            data = {
                "submission_id": row.id, "name": row.name, "author": row.author, "status": row.status,
                "reason": row.reason,
            }  # fmt: skip
            what = Happening(EventKind.REJECTED, data, None, row.owner_id)
            yield _Found(f"rejected {row.id}", row.updated_at, what)

    def _seasons(self, connection: Connection, since: float) -> Iterator[_Found]:
        for row in connection.execute(select(_SEASONS).where(_SEASONS.c.closed_at > since)):
            data = {"season": row.number, "feed": row.feed, "closed_at": row.closed_at}
            yield _Found(f"season {row.id}", row.closed_at, Happening(EventKind.SEASON_END, data))

    def _trades(self, connection: Connection, places: dict[str, Any]) -> Iterator[_Found]:
        rows = connection.execute(
            select(_TRADES, _BOTS.c.owner_id).join(_BOTS, _BOTS.c.id == _TRADES.c.bot_id)
            .where(_TRADES.c.id > places["trades"]["id"]).order_by(_TRADES.c.id).limit(_BATCH)
        ).mappings()  # fmt: skip
        names = ("id", "time", "bot_id", "bot_name", "symbol", "side", "size", "price", "fee", "realized_pnl")
        for row in rows:
            places["trades"] = {"id": row["id"]}
            what = Happening(EventKind.TRADE, {name: row[name] for name in names}, row["bot_id"], row["owner_id"])
            # By its number, since markets have times of their own.
            yield _Found(f"trade {row['id']}", 0.0, what, row["id"])

    def _changes(self, connection: Connection, now: float) -> Iterator[_Found]:
        """Yield errors, quarantines and ranks that have changed since the last look."""
        rows = connection.execute(
            select(
                _ENTRIES.c.season_id, _ENTRIES.c.bot_id, _ENTRIES.c.bot_name, _ENTRIES.c.errors,
                _ENTRIES.c.last_error, _ENTRIES.c.status, _ENTRIES.c.reason, _STANDINGS.c.rank, _BOTS.c.owner_id,
            )
            .join(_SEASONS, _SEASONS.c.id == _ENTRIES.c.season_id)
            .join(_BOTS, _BOTS.c.id == _ENTRIES.c.bot_id)
            .outerjoin(
                _STANDINGS,
                (_STANDINGS.c.season_id == _ENTRIES.c.season_id) & (_STANDINGS.c.bot_id == _ENTRIES.c.bot_id),
            )
            .where(_SEASONS.c.status == "open")
        )  # fmt: skip
        before, self._bots = self._bots, {}
        for row in rows:
            key = row.season_id, row.bot_id
            seen = before.get(key)
            self._bots[key] = kept = seen or _Seen(row.errors, row.status, row.rank)
            if seen is None and before:
                # It has come in since: its errors are new.
                kept.errors, kept.status = 0, ""
            yield from self._of_bot(row, kept, now)

    @staticmethod
    def _of_bot(row: Any, kept: _Seen, now: float) -> Iterator[_Found]:
        who = {"bot_id": row.bot_id, "bot_name": row.bot_name}
        if row.status == "quarantined" != kept.status:
            what = Happening(EventKind.QUARANTINED, {**who, "reason": row.reason}, row.bot_id, row.owner_id)
            yield _Found(f"quarantined {row.season_id} {row.bot_id} {now}", now, what)
        kept.status = row.status
        if row.errors > kept.errors and now - kept.error_told >= _PAUSE:
            data = {**who, "errors": row.errors, "last_error": row.last_error}
            yield _Found(
                f"error {row.season_id} {row.bot_id} {row.errors}", now,
                Happening(EventKind.ERROR, data, row.bot_id, row.owner_id),
            )  # fmt: skip
            kept.errors, kept.error_told = row.errors, now
        if row.rank is None or row.rank == kept.rank:
            return
        if kept.rank is None:
            kept.rank = row.rank
        elif now - kept.rank_told >= _PAUSE:
            data = {**who, "before": kept.rank, "rank": row.rank}
            yield _Found(
                f"rank {row.season_id} {row.bot_id} {now}", now,
                Happening(EventKind.RANK, data, row.bot_id, row.owner_id),
            )  # fmt: skip
            kept.rank, kept.rank_told = row.rank, now


def _delivery_id(webhook_id: str, key: str) -> str:
    return f"msg_{hashlib.sha256(f'{webhook_id} {key}'.encode()).hexdigest()[:32]}"

"""What a restart reads back: bots, the last tick, trades, waiting orders, standings, past ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, bindparam, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from arena.store.bulk import as_loaded, table_of
from arena.store.models import Bot, BotTick, Entry, OrderRow, ScorePoint, Standing, Tick, Trade
from arena.store.moved import tick_batches

_TICKS = table_of(Tick)
_LAST_TICKS = (
    sql_select(_TICKS.c.time, _TICKS.c.prices)
    .where(_TICKS.c.season_id == bindparam("season"))
    .order_by(_TICKS.c.n.desc())
    .limit(bindparam("count"))
)


@dataclass(slots=True)
class Recovered:
    """The recorded state of a season's bots and market."""

    entries: list[tuple[Bot, Entry]]
    last_tick: Tick | None
    trades: dict[str, list[Trade]]
    pending: dict[str, list[OrderRow]]
    standings: dict[str, Standing]
    events: dict[str, list[tuple[int, str, str]]]
    rejected: dict[str, int]


def recover(engine: Engine, season_id: str) -> Recovered:
    """Read back what the engine needs to go on with a season."""
    with Session(engine, expire_on_commit=False) as session:
        entries = session.exec(
            select(Bot, Entry)
            .where(Bot.id == Entry.bot_id, Entry.season_id == season_id)
            .order_by(col(Entry.admitted_at), col(Bot.id))
        ).all()
        last = session.exec(select(Tick).where(Tick.season_id == season_id).order_by(col(Tick.n).desc())).first()
        trades = session.exec(select(Trade).where(Trade.season_id == season_id).order_by(col(Trade.id))).all()
        pending = session.exec(
            select(OrderRow)
            .where(OrderRow.season_id == season_id, OrderRow.status == "pending")
            .order_by(col(OrderRow.id))
        ).all()
        standings = session.exec(select(Standing).where(Standing.season_id == season_id)).all()
        events = session.exec(select(BotTick).where(BotTick.season_id == season_id).order_by(col(BotTick.id))).all()
        rejected = session.exec(
            select(OrderRow.bot_id, func.count())
            .where(OrderRow.season_id == season_id, OrderRow.status == "rejected")
            .group_by(OrderRow.bot_id)
        ).all()
        session.expunge_all()
    return Recovered(
        entries=[(bot, entry) for bot, entry in entries],
        last_tick=last,
        trades=_by_bot(trades),
        pending=_by_bot(pending),
        standings={row.bot_id: row for row in standings},
        events={
            bot_id: [(row.tick, row.event, row.detail) for row in rows] for bot_id, rows in _by_bot(events).items()
        },
        rejected=dict(rejected),
    )


def _by_bot(rows: Sequence[Any]) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.bot_id, []).append(row)
    return grouped


def tick_rows(engine: Engine, season_id: str, first: int, last: int) -> list[Tick]:
    """Return the recorded ticks from `first` to `last`, both included."""
    return [as_loaded(Tick, **row) for rows in tick_batches(engine, season_id, first, last) for row in rows]


def score_points(engine: Engine, season_id: str) -> Iterator[ScorePoint]:
    """Yield a season's score points in order, so many at a time."""
    with Session(engine, expire_on_commit=False) as session:
        query = select(ScorePoint).where(ScorePoint.season_id == season_id).order_by(col(ScorePoint.n))
        yield from session.exec(query.execution_options(yield_per=500))


def last_ticks(engine: Engine, season_id: str, count: int) -> list[tuple[float, dict[str, float]]]:
    """Return time and prices of the last recorded ticks of a season, oldest first."""
    with engine.connect() as connection:
        found = connection.execute(_LAST_TICKS, {"season": season_id, "count": count})
        return [(time, prices) for time, prices in reversed(found.all())]


def ended_symbols(engine: Engine, season_id: str) -> dict[str, float | None]:
    """Return the symbols that have been settled in a season, with the price they were settled at."""
    found: dict[str, float | None] = {}
    with Session(engine) as session:
        query = select(Tick.conditions).where(Tick.season_id == season_id, col(Tick.conditions).is_not(None))
        for conditions in session.exec(query.order_by(col(Tick.n))):
            found.update((conditions or {}).get("ended", {}))
    return found

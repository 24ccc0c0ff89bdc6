"""What a restart reads back: bots, the last tick, trades, waiting orders, standings, past ticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from arena.store.bulk import as_loaded, table_of
from arena.store.models import BoardSummary, Bot, BotTick, Entry, OrderRow, ScorePoint, Standing, Tick, Trade
from arena.store.moved import tick_batches

_PAGE = 64
_TICKS, _TRADES, _EVENTS, _POINTS = table_of(Tick), table_of(Trade), table_of(BotTick), table_of(ScorePoint)
_ORDERS = table_of(OrderRow)
_LAST_TICKS = (
    sql_select(_TICKS.c.time, _TICKS.c.prices)
    .where(_TICKS.c.season_id == bindparam("season"))
    .order_by(_TICKS.c.n.desc())
    .limit(bindparam("count"))
)


@dataclass(slots=True)
class Recovered:
    """The recorded state of a season's bots and market, read in a time that does not grow with the season.

    `trades` are those after a bot's standings, or all where its standings are of an older version, which did not keep
    the account; `pending` are the orders that wait, each with the tick that it settles at. `events` are the strikes of
    the last ticks, and all kills.
    """

    entries: list[tuple[Bot, Entry]]
    last_tick: Tick | None
    market: dict[str, Any] | None
    market_tick: int
    trades: dict[str, list[Any]]
    pending: dict[str, list[tuple[OrderRow, int]]]
    standings: dict[str, Standing]
    events: dict[str, list[tuple[int, str, str]]]
    rejected: dict[str, int]
    away: set[str]


def recover(engine: Engine, season_id: str, strike_window: int = 100, delay: int = 1) -> Recovered:
    """Read back what the engine needs to go on with a season; strikes are of the last `strike_window` ticks.

    An order settles `delay` ticks after the one it was made at.
    """
    with Session(engine, expire_on_commit=False) as session:
        entries = session.exec(
            select(Bot, Entry)
            .where(Bot.id == Entry.bot_id, Entry.season_id == season_id)
            .order_by(col(Entry.admitted_at), col(Bot.id))
        ).all()
        last = session.exec(
            select(Tick).where(Tick.season_id == season_id).order_by(col(Tick.n).desc()).limit(1)
        ).first()
        pending = session.exec(
            select(OrderRow)
            .where(OrderRow.season_id == season_id, OrderRow.status == "pending")
            .order_by(col(OrderRow.id))
        ).all()
        standings = {
            row.bot_id: row for row in session.exec(select(Standing).where(Standing.season_id == season_id)).all()
        }
        summary = session.get(BoardSummary, season_id)
        session.expunge_all()
    since = -1 if last is None else last.n - strike_window
    with engine.connect() as connection:
        trades = {
            bot.id: _trades_after(connection, season_id, bot.id, _account_tick(standings.get(bot.id)))
            for bot, _ in entries
        }
        rejected = {
            bot.id: _rejected(connection, season_id, bot.id, entry) for bot, entry in entries
        }  # fmt: skip
        events, away = _events(connection, season_id, since)
    return Recovered(
        entries=[(bot, entry) for bot, entry in entries], last_tick=last,
        market=None if summary is None else summary.market, market_tick=-1 if summary is None else summary.tick,
        trades={bot: rows for bot, rows in trades.items() if rows}, standings=standings,
        pending=_by_bot(pending, _due(engine, season_id, pending, delay)),
        events=events, rejected=rejected, away=away,
    )  # fmt: skip


def _account_tick(standing: Standing | None) -> int:
    """Return the tick that a bot's stored account is of, -1 if none is stored."""
    return -1 if standing is None or standing.account is None else standing.tick


def _trades_after(connection: Connection, season_id: str, bot_id: str, tick: int) -> list[Any]:
    """Return a bot's trades after a tick, in order; read backwards, so that those before cost nothing."""
    found: list[Any] = []
    newest = (
        sql_select(_TRADES)
        .where(_TRADES.c.season_id == season_id, _TRADES.c.bot_id == bot_id)
        .order_by(_TRADES.c.id.desc())
    )
    with connection.execute(newest, execution_options={"yield_per": _PAGE}) as rows:
        found.extend(takewhile(lambda row: row.tick > tick, rows))
    return found[::-1]


# What ends an absence: its memory is back, or it has been loaded afresh.
_BACK = ("recovered", "start", "restarted")


def _rejected(connection: Connection, season_id: str, bot_id: str, entry: Entry) -> int:
    """Return how many orders of a bot were rejected; entries of an older version did not count them."""
    if entry.rejected is not None or not entry.orders_count:
        return entry.rejected or 0
    orders = table_of(OrderRow)
    where = orders.c.season_id == season_id, orders.c.bot_id == bot_id, orders.c.status == "rejected"
    return int(connection.execute(sql_select(func.count()).select_from(orders).where(*where)).scalar_one())


def _events(
    connection: Connection, season_id: str, since: int
) -> tuple[dict[str, list[tuple[int, str, str]]], set[str]]:
    """Return each bot's late answers after a tick and all its kills, and who was being recovered at the end."""
    query = sql_select(_EVENTS.c.bot_id, _EVENTS.c.tick, _EVENTS.c.event, _EVENTS.c.detail)
    here = _EVENTS.c.season_id == season_id
    late = query.add_columns(_EVENTS.c.id).where(here, _EVENTS.c.event == "late", _EVENTS.c.tick > since)
    rest = query.add_columns(_EVENTS.c.id).where(here, _EVENTS.c.event.in_(["killed", "recovering", *_BACK]))
    found: dict[str, list[tuple[int, str, str]]] = {}
    away: set[str] = set()
    rows = [*connection.execute(late), *connection.execute(rest)]
    for row in sorted(rows, key=lambda row: int(row.id)):
        if row.event == "recovering":
            away.add(row.bot_id)
        elif row.event in _BACK:
            away.discard(row.bot_id)
        else:
            found.setdefault(row.bot_id, []).append((row.tick, row.event, row.detail))
    return found, away


def bot_events(engine: Engine, season_id: str, bot_id: str) -> list[BotTick]:
    """Return all that was unusual about one bot, in order."""
    with Session(engine, expire_on_commit=False) as session:
        query = select(BotTick).where(BotTick.season_id == season_id, BotTick.bot_id == bot_id)
        return list(session.exec(query.order_by(col(BotTick.id))).all())


def trades_before(engine: Engine, season_id: str, bot_id: str, tick: int) -> list[Any]:
    """Return a bot's trades before a tick, in order."""
    query = (
        sql_select(_TRADES)
        .where(_TRADES.c.season_id == season_id, _TRADES.c.bot_id == bot_id, _TRADES.c.tick < tick)
        .order_by(_TRADES.c.id)
    )
    with engine.connect() as connection:
        return list(connection.execute(query))


def orders_waiting_after(engine: Engine, season_id: str, bot_id: str, tick: int, delay: int) -> list[tuple[Any, int]]:
    """Return a bot's orders that were made up to a tick and settled after it, each with the tick that it settled at.

    Those that were rejected there are left out: they have changed nothing.
    """
    if delay == 1:
        # Every order has settled before its bot can be loaded again.
        return []
    query = (
        sql_select(_ORDERS)
        .where(_ORDERS.c.season_id == season_id, _ORDERS.c.bot_id == bot_id)
        .where(_ORDERS.c.tick <= tick, _ORDERS.c.tick > tick - delay, _ORDERS.c.status.in_(["pending", "filled"]))
        .order_by(_ORDERS.c.id)
    )
    with engine.connect() as connection:
        rows = list(connection.execute(query))
    return [found for found in zip(rows, _due(engine, season_id, rows, delay), strict=True) if found[1] > tick]


def _due(engine: Engine, season_id: str, orders: Sequence[Any], delay: int) -> list[int]:
    """Return the tick that each of these orders settles at.

    One that a bot made while it was loaded has the time of an earlier tick than the one it is recorded at, and counts
    as made at the tick before that one.
    """
    if not orders:
        return []
    made = [order.tick for order in orders]
    times = {tick.n: tick.time for tick in tick_rows(engine, season_id, min(made), max(made))}
    return [order.tick + delay - (order.time != times.get(order.tick, order.time)) for order in orders]


def _by_bot(rows: Sequence[OrderRow], due: Sequence[int]) -> dict[str, list[tuple[OrderRow, int]]]:
    grouped: dict[str, list[tuple[OrderRow, int]]] = {}
    for row, tick in zip(rows, due, strict=True):
        grouped.setdefault(row.bot_id, []).append((row, tick))
    return grouped


def tick_rows(engine: Engine, season_id: str, first: int, last: int) -> list[Tick]:
    """Return the recorded ticks from `first` to `last`, both included."""
    return [as_loaded(Tick, **row) for rows in tick_batches(engine, season_id, first, last) for row in rows]


def score_bounds(engine: Engine, season_id: str) -> tuple[float, float] | None:
    """Return the times of a season's first and last score point, None where it has none."""
    times = sql_select(_POINTS.c.time).where(_POINTS.c.season_id == season_id).limit(1)
    with engine.connect() as connection:
        first = connection.execute(times.order_by(_POINTS.c.n)).scalar()
        last = connection.execute(times.order_by(_POINTS.c.n.desc())).scalar()
    return None if first is None or last is None else (first, last)


def last_known_prices(engine: Engine, season_id: str, tick: int) -> dict[str, float] | None:
    """Return the last known prices before a tick, None where no score point before it tells them."""
    newest = (
        sql_select(_POINTS.c.tick, _POINTS.c.prices)
        .where(_POINTS.c.season_id == season_id, _POINTS.c.tick < tick)
        .order_by(_POINTS.c.n.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        point = connection.execute(newest).first()
    if point is None:
        return None
    known = dict(point.prices)
    for row in tick_rows(engine, season_id, point.tick + 1, tick - 1):
        known.update(row.prices)
    return known


def scored_ticks(engine: Engine, season_id: str, since: int) -> set[int]:
    """Return the ticks from `since` on at which score points were written; read backwards, however many there are."""
    newest = sql_select(_POINTS.c.tick).where(_POINTS.c.season_id == season_id).order_by(_POINTS.c.n.desc())
    with (
        engine.connect() as connection,
        connection.execute(newest, execution_options={"yield_per": _PAGE}) as rows,
    ):
        return {row.tick for row in takewhile(lambda row: row.tick >= since, rows)}


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

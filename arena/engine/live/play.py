"""The part of a tick that is each seat's own: settle, ask, read; the same function here and on every other host.

A part of the seats is played by numbers of its own. `join` puts the parts into one tick with the numbers of the
record, in the order in which one machine would have given them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.core.exchange import Conditions
from arena.engine.live.supervisor import Supervisor
from arena.engine.live.tick import Numbers, TickBuilder
from arena.engine.live.tick_payload import TickPayload
from arena.engine.seat import Seat, SeatUpdate
from arena.engine.state import MarketState

# Phases of a tick, as `TickBuilder.end_phase` counts them: absences, starts, settling, late answers, answers.
PHASES = 5


@dataclass(frozen=True, slots=True)
class MarketTick:
    """What a tick is to all seats; `last_prices` are the last known ones, this tick's among them."""

    n: int
    time: float
    prices: Mapping[str, float]
    last_prices: Mapping[str, float]
    conditions: Conditions


class OwnNumbers:
    """Numbers below zero for what has none in the record yet."""

    def __init__(self) -> None:
        self._last = 0

    def next_order_id(self) -> int:
        """Return the next number, counted down."""
        self._last -= 1
        return self._last

    def next_trade_id(self) -> int:
        """Return the same for every trade: nothing refers to one."""
        return 0


def play_tick(supervisor: Supervisor, market: MarketState, tick: MarketTick, builder: TickBuilder) -> None:
    """Settle the seats of a builder, show their bots this tick, and take what they did.

    `market` is as of the tick before, with the symbols of this one.
    """
    supervisor.note_absences(builder)
    builder.end_phase()
    supervisor.collect_starts(builder)
    builder.end_phase()
    builder.settle(tick.prices, tick.last_prices, tick.conditions)
    builder.end_phase()
    supervisor.ask(TickPayload(tick.time, market.symbols, tick.prices, market.version), builder)


def take_tick(market: MarketState, tick: MarketTick) -> None:
    """Make a tick the market's last one."""
    market.n, market.time = tick.n, tick.time
    market.prices, market.last_prices = dict(tick.prices), dict(tick.last_prices)
    market.ended.update(tick.conditions.ended)


def join(
    builder: TickBuilder, seats: Sequence[Seat], parts: Sequence[TickBuilder], numbers: Numbers
) -> list[dict[int, int]]:
    """Put the parts of a tick into one builder; return of each part which order has which number in the record."""
    found: dict[str, SeatUpdate] = {}
    for part in parts:
        found.update(part.updates)
    builder.seats = seats
    builder.updates = {seat.id: found[seat.id] for seat in builder.seats}
    mapped: list[dict[int, int]] = [{} for _ in parts]
    places = {seat.id: seat.place for seat in builder.seats}
    for phase in range(PHASES):
        _join_phase(builder, parts, numbers, phase, places, mapped)
    for part, known in zip(parts, mapped, strict=True):
        for end in part.writes.order_ends:
            end["id"] = known.get(end["id"], end["id"])
        builder.writes.order_ends += part.writes.order_ends
        builder.writes.orders_dropped += [known.get(number, number) for number in part.writes.orders_dropped]
        for update in part.updates.values() if known else ():
            for pending in (*update.waiting, *update.pending) if update.pending or update.waiting else ():
                pending.id = known.get(pending.id, pending.id)
    builder.taints = sorted(
        (taint for part in parts for taint in part.taints), key=lambda taint: (taint[0], taint[1].place)
    )
    builder.writes.tick = _joined_tick(parts)
    return mapped


def _join_phase(
    builder: TickBuilder,
    parts: Sequence[TickBuilder],
    numbers: Numbers,
    phase: int,
    places: Mapping[str, int],
    mapped: Sequence[dict[int, int]],
) -> None:
    """Add one phase's rows in the order of seats, and number them."""
    rows: tuple[list[Any], list[Any], list[Any], list[Any]] = ([], [], [], [])
    for index, part in enumerate(parts):
        begin = part.phases[phase - 1] if phase else (0, 0, 0, 0)
        end = part.phases[phase]
        writes = part.writes
        logs = list(zip(writes.logs, part.console, strict=True))
        kinds: tuple[list[Any], ...] = (writes.orders, writes.trades, writes.bot_ticks, logs)
        for kind, of_part, first, last in zip(rows, kinds, begin, end, strict=True):
            kind.extend((index, row) for row in of_part[first:last])
    orders, trades, events, lines = rows

    def place(each: tuple[int, Any]) -> int:
        return places[each[1]["bot_id"]]

    for index, row in sorted(orders, key=place):
        mapped[index][row["id"]] = row["id"] = numbers.next_order_id()
        builder.writes.orders.append(row)
    for index, row in sorted(trades, key=place):
        row["id"] = numbers.next_trade_id()
        row["order_id"] = mapped[index].get(row["order_id"], row["order_id"])
        builder.writes.trades.append(row)
    builder.writes.bot_ticks += [row for _, row in sorted(events, key=place)]
    for _, (row, line) in sorted(lines, key=lambda each: places[each[1][0]["bot_id"]]):
        builder.writes.logs.append(row)
        builder.console.append(line)


def _joined_tick(parts: Sequence[TickBuilder]) -> dict[str, Any] | None:
    """Return the row of the tick, with the conditions that have mattered to a bot of any part."""
    rows = [part.writes.tick for part in parts if part.writes.tick is not None]
    barred: dict[str, str] = {}
    found: dict[str, Any] = {}
    for row in rows:
        conditions = row["conditions"] or {}
        barred.update(conditions.get("barred", {}))
        found.update(conditions)
    if barred:
        found["barred"] = {symbol: barred[symbol] for symbol in sorted(barred)}
    known = {name: found[name] for name in ("barred", "ended") if name in found}
    return {**rows[0], "conditions": known or None} if rows else None

"""One tick, from the orders of the tick before to the rows that record it.

A builder collects what the tick changes in `SeatUpdate`s and rows. No seat changes and no line is printed before
the recorder has written the tick and `apply` is called. The live market and a replayed one use the same code.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from arena.core.exchange import USUAL, Conditions, Holding, Rules, Stepped, step
from arena.core.orders import Fill, Order, OrderStatus, Rejection
from arena.core.text import clean_line
from arena.engine.live.season_scores import SeasonScores
from arena.engine.live.standings import standings
from arena.engine.rows import equity_row, log_row, order_row, trade_row
from arena.engine.seat import FAILING_AFTER, Life, Pending, Seat, SeatUpdate
from arena.log import RateLimit
from arena.runtime.wire import BotActions, BotError
from arena.store.bulk import Row
from arena.store.recorder import TickWrites

log = logging.getLogger("arena.bots")
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
_LOG_REJECTIONS_PER_TICK = 20
LOG_BYTES_A_DAY = 16 << 20


class Numbers(Protocol):
    """Gives out the ids of orders and trades."""

    def next_order_id(self) -> int:
        """Return a fresh order id."""

    def next_trade_id(self) -> int:
        """Return a fresh trade id."""


class TickBuilder:
    """Collects what a tick does to every seat, and the rows that say so."""

    def __init__(
        self,
        seats: Sequence[Seat],
        season_id: str,
        n: int,
        time: float,
        rules: Rules,
        recorder: Numbers,
        limit: RateLimit,
        log_bytes_a_day: int = LOG_BYTES_A_DAY,
    ) -> None:
        self.seats = seats
        self.n = n
        self.time = time
        self.writes = TickWrites()
        self.updates = {seat.id: SeatUpdate(seat) for seat in seats}
        self.season_id = season_id
        self.delay_ticks = rules.delay_ticks
        self._rules = rules
        self._recorder = recorder
        self._limit = limit
        self._log_bytes = log_bytes_a_day
        # One line for each of `writes.logs`.
        self.console: list[tuple[Seat, int, str]] = []
        # Rows of orders, trades, events and logs at the end of each phase so far, and who was found out in which.
        self.phases: list[tuple[int, int, int, int]] = []
        self.taints: list[tuple[int, Seat, str]] = []

    def end_phase(self) -> None:
        """Note that every seat is through with one part of the tick.

        Within a phase rows stand in the order of seats, so that what several hosts did can be put in one order.
        """
        rows = self.writes
        self.phases.append((len(rows.orders), len(rows.trades), len(rows.bot_ticks), len(rows.logs)))

    def taint(self, seat: Seat, reason: str) -> None:
        """Note that a bot has attacked or crashed natively: nothing of the same source may run on."""
        self.taints.append((len(self.phases), seat, reason))

    # -- settling -----------------------------------------------------------------------------------

    def settle(
        self, prices: Mapping[str, float], last_prices: Mapping[str, float], conditions: Conditions = USUAL
    ) -> None:
        """Settle ended symbols, fill or reject the orders that are due at these prices, and mark every account."""
        updates = list(self.updates.values())
        due = [update.take_due(self.n) for update in updates]
        self.writes.tick = {
            "season_id": self.season_id, "n": self.n, "time": self.time, "prices": dict(prices),
            "conditions": _recorded_conditions(conditions, due),
        }  # fmt: skip
        holdings = [
            Holding(update.seat.name, update.account, tuple([each.order for each in orders]))
            for update, orders in zip(updates, due, strict=True)
        ]
        stepped = step(holdings, prices, last_prices, self._rules, conditions, self.time)
        for update, orders, after in zip(updates, due, stepped, strict=True):
            self._settled(update, orders, after)

    def _settled(self, update: SeatUpdate, due: Sequence[Pending], after: Stepped) -> None:
        update.account, update.valuation = after.account, after.valuation
        for fill in after.redeemed:
            self.add_trade(update, None, fill)
            self.say(update.seat, "INFO", f"{fill.symbol} has ended: {fill.size:g} settled at {fill.price:g}")
        for order, outcome in zip(due, after.outcomes, strict=True):
            if isinstance(outcome, Fill):
                self._filled(update, order, outcome)
            else:
                self._rejected_at_settlement(update, order, outcome)
        update.mark()

    def _filled(self, update: SeatUpdate, waiting: Pending, fill: Fill) -> None:
        self.writes.order_ends.append({
            "id": waiting.id, "status": OrderStatus.FILLED.value, "fill_time": self.time,
            "fill_price": fill.price, "fill_size": fill.size,
        })  # fmt: skip
        self.add_trade(update, waiting.id, fill)

    def add_trade(self, update: SeatUpdate, order_id: int | None, fill: Fill) -> None:
        """Write a fill and count it; `order_id` is None for the settlement of a symbol's end."""
        seat = update.seat
        self.writes.trades.append({
            "id": self._recorder.next_trade_id(), **trade_row(self.n, self.time, seat.name, fill),
            "season_id": self.season_id, "bot_id": seat.id, "order_id": order_id,
        })  # fmt: skip
        update.score.fill(fill.price * fill.size, fill.realized, is_sell=fill.side == "SELL")

    def _rejected_at_settlement(self, update: SeatUpdate, waiting: Pending, rejection: Rejection) -> None:
        reason = clean_line(rejection.reason)
        update.score.rejected += 1
        update.rejection = reason
        if update.own_tally().may_record_rejection(self.time):
            self.writes.order_ends.append({"id": waiting.id, "status": OrderStatus.REJECTED.value, "reason": reason})
            self._say_within_allowance(update, "WARNING", reason)
        else:
            self.writes.orders_dropped.append(waiting.id)

    # -- what bots did ------------------------------------------------------------------------------

    def note_start(self, seat: Seat, actions: BotActions) -> None:
        """Take what load and init did; called before `settle`: the orders count as made at the tick before."""
        update, rejected = self.updates[seat.id], 0
        # The seat's own list stays as it is until the tick is written.
        update.waiting = list(update.waiting)
        for request in actions.requests:
            if isinstance(request, Order):
                update.waiting.append(self._ordered(update, seat.launched[1], request, self.n - 1))
            else:
                rejected += 1
                self._rejected_at_once(update, seat.launched[1], request, rejected)
        for level, text in actions.logs:
            self._say_within_allowance(update, level.name, text)
        for error in actions.errors:
            self._say_error(update, error, error.told(self.n))

    def note(self, seat: Seat, actions: BotActions) -> None:
        """Take what a bot did at this tick."""
        update, rejected = self.updates[seat.id], 0
        for request in actions.requests:
            if isinstance(request, Order):
                update.pending.append(self._ordered(update, self.time, request, self.n))
            else:
                rejected += 1
                self._rejected_at_once(update, self.time, request, rejected)
                update.rejection = request.reason
        update.score.rejected += rejected + actions.overflow
        if actions.overflow:
            self._say_within_allowance(update, "WARNING", f"{actions.overflow} more orders rejected in this tick")
        for level, text in actions.logs:
            self._say_within_allowance(update, level.name, text)
        if actions.logs_dropped:
            self._say_within_allowance(update, "WARNING", f"{actions.logs_dropped} log lines dropped")
        if actions.errors:
            self._note_errors(update, actions.errors)
        else:
            self.note_idle(seat)

    def note_idle(self, seat: Seat) -> None:
        """Take that a bot raised nothing at this tick."""
        update = self.updates[seat.id]
        update.errors_in_a_row = 0
        update.last_error = None
        update.good_tick = True

    def _note_errors(self, update: SeatUpdate, errors: Sequence[BotError]) -> None:
        update.errors_in_a_row += 1
        update.errors += len(errors)
        for error in errors:
            update.last_error = error.told(self.n)
            if update.errors_in_a_row <= FAILING_AFTER or update.errors_in_a_row % 100 == 0:
                self._say_error(update, error, update.last_error)

    def _ordered(self, update: SeatUpdate, time: float, order: Order, made: int) -> Pending:
        number = self._recorder.next_order_id()
        self._add_order(update, number, time, order, None)
        return Pending(number, order, made + self.delay_ticks)

    def _rejected_at_once(self, update: SeatUpdate, time: float, request: Rejection, count: int) -> None:
        reason = clean_line(request.reason)
        if self._add_order(update, None, time, request, reason) and count <= _LOG_REJECTIONS_PER_TICK:
            self._say_within_allowance(update, "WARNING", reason)

    def _add_order(
        self, update: SeatUpdate, number: int | None, time: float, request: Order | Rejection, reason: str | None
    ) -> bool:
        """Count a request and keep its row; False where it is rejected beyond the day's number of such rows."""
        seat, tally = update.seat, update.own_tally()
        row = order_row(
            self.n, time, seat.name, symbol=request.symbol, side=request.side, size=request.size, reason=reason,
            status=OrderStatus.PENDING if reason is None else OrderStatus.REJECTED,
        )  # fmt: skip
        tally.note(self.n, row["symbol"], row["side"], request.size, reason)
        if reason is not None and not tally.may_record_rejection(time):
            return False
        number = self._recorder.next_order_id() if number is None else number
        self.writes.orders.append({"id": number, **row, "season_id": self.season_id, "bot_id": seat.id})
        return True

    def add_order(
        self,
        seat: Seat,
        number: int,
        time: float,
        *,
        symbol: str,
        side: str,
        size: float | None,
        status: OrderStatus,
        reason: str | None,
    ) -> None:
        """Write an order that another host has counted."""
        row = order_row(
            self.n, time, seat.name, symbol=symbol, side=side, size=size, reason=reason, status=status
        )  # fmt: skip
        self.writes.orders.append({"id": number, **row, "season_id": self.season_id, "bot_id": seat.id})

    def cancel(self, seat: Seat) -> None:
        """Cancel the orders of a bot that wait, and those that it has made at this tick."""
        update = self.updates[seat.id]
        cancelled = OrderStatus.CANCELLED.value
        self.writes.order_ends += [{"id": waiting.id, "status": cancelled} for waiting in update.waiting]
        made = {pending.id for pending in update.pending}
        for row in self.writes.orders if made else ():
            if row["id"] in made:
                row["status"] = cancelled
        update.waiting, update.pending = [], []

    # -- what is said -------------------------------------------------------------------------------

    def _say_error(self, update: SeatUpdate, error: BotError, text: str) -> None:
        self._say_within_allowance(update, "ERROR", f"Error in bot '{update.seat.name}' {error.where.name}: {text}")

    def _say_within_allowance(self, update: SeatUpdate, level: str, text: str) -> None:
        """Write a line that a bot has caused, while its daily log limit has room for it."""
        allowance = update.own_log_allowance()
        if allowance.admit(self.time, len(text) + 32, self._log_bytes):
            self.say(update.seat, level, text)
        elif allowance.dropped == 1:
            limit = f"Daily limit of {self._log_bytes:,} bytes of log reached"
            self.say(update.seat, "WARNING", f"{limit}: further lines of today are counted, not kept")

    def say(self, seat: Seat, level: str, text: str) -> None:
        """Write a line to the bot's log; `apply` prints it on the console, rate-limited."""
        line = clean_line(text)
        self.writes.logs.append({
            "season_id": self.season_id, "bot_id": seat.id, "tick": self.n, **log_row(self.time, level, line),
        })  # fmt: skip
        self.console.append((seat, _LEVELS[level], line))

    def event(self, seat: Seat, event: str, detail: str = "") -> None:
        """Journal something unusual about one bot at this tick."""
        self.writes.bot_ticks.append({
            "season_id": self.season_id, "tick": self.n, "bot_id": seat.id, "event": event,
            "detail": clean_line(detail),
        })  # fmt: skip

    def quarantine(self, seat: Seat, reason: str) -> None:
        """Take a bot out of the season: its orders are cancelled, its positions stay and are marked."""
        update = self.updates[seat.id]
        update.life, update.reason = Life.QUARANTINED, reason
        self.cancel(seat)
        self.event(seat, "quarantined", reason)
        self.say(seat, "ERROR", f"Bot '{seat.name}' is quarantined: it {reason}")
        self.writes.entries.append({
            "season_id": self.season_id, "bot_id": seat.id, "status": update.life.value, "reason": reason,
        })  # fmt: skip

    # -- closing ------------------------------------------------------------------------------------

    def score_point(self, scores: SeasonScores, prices: Mapping[str, float]) -> None:
        """Write the equities at a score point, where this tick is one; `prices` are the last known ones."""
        if scores.clock.due(self.time):
            equities = {}
            for update in self.updates.values():
                if update.life is not Life.RETIRED:
                    equities[update.seat.id] = update.valuation.equity
                    update.score.point(update.valuation.equity, self.time)
            self.writes.score_points.append(scores.point(self.n, self.time, equities, prices))
        new = [update for update in self.updates.values() if update.seat.score.ticks < 2]
        fresh = [update.score for update in new if update.scored_ticks == 1]
        if fresh:
            benchmark = scores.benchmark_equity(prices)
            for score in fresh:
                score.benchmark_start = benchmark

    def record_equity(self) -> None:
        """Write a row of equity for every bot that is shown."""
        for update in self._shown():
            seat, account, (equity, unrealized) = update.seat, update.account, update.valuation
            row = equity_row(
                self.n, self.time, seat.name, equity=equity, realized=account.realized, unrealized=unrealized,
                cash=account.cash,
            )  # fmt: skip
            self.writes.equity.append({**row, "season_id": self.season_id, "bot_id": seat.id})

    def rank(self, scores: SeasonScores, prices: Mapping[str, float], market: Row) -> None:
        """Write the board; `prices` are what one unit of each symbol is worth, `market` is for a restart."""
        rows, summary = standings(
            self._shown(), self.season_id, self.n, self.time, self._rules.fills_a_day, scores, prices
        )
        self.writes.standings += rows
        self.writes.summary.append({
            "season_id": self.season_id, "tick": self.n, "document": summary, "market": market,
        })  # fmt: skip

    def _shown(self) -> list[SeatUpdate]:
        return [update for update in self.updates.values() if update.life is not Life.RETIRED]

    def entry_updates(self) -> None:
        """Write what has changed in the entries: error counts, last errors, and the chain of orders."""
        for update in self.updates.values():
            seat, tally = update.seat, update.tally
            if (
                update.errors != seat.errors
                or (tally is not seat.tally and tally.revision != seat.recorded)
                or update.good_tick != seat.good_tick
                or update.errors_in_a_row != seat.errors_in_a_row
                or update.last_error != seat.last_error
            ):
                self.writes.entries.append({
                    "season_id": self.season_id, "bot_id": seat.id,
                    "errors": update.errors, "last_error": update.last_error,
                    "errors_in_a_row": update.errors_in_a_row,
                    "orders_count": tally.orders, "orders_digest": tally.digest,
                    "rejections_day": tally.day, "rejections_today": tally.rejected,
                    "good_tick": update.good_tick, "rejected": update.rejected,
                })  # fmt: skip

    def apply(self) -> None:
        """Change the seats and print what was said; to be called once the recorder has written the tick."""
        for update in self.updates.values():
            update.apply()
        for seat, level, line in self.console:
            missed = self._limit.admit(seat.id)
            if missed is not None:
                more = f" (and {missed} lines before it)" if missed else ""
                log.log(level, "%s: %s%s", seat.name, line, more, extra={"bot": seat.name, "tick": self.n})


def _recorded_conditions(conditions: Conditions, due: Sequence[Sequence[Pending]]) -> Row | None:
    """Return the part of a tick's conditions that has mattered to any bot, None for a usual tick."""
    if not conditions:
        return None
    asked = {each.order.symbol for orders in due for each in orders} & conditions.barred.keys()
    barred = {symbol: conditions.barred[symbol] for symbol in sorted(asked)}
    found: dict[str, Any] = {"barred": barred, "ended": dict(conditions.ended)}
    return {name: value for name, value in found.items() if value} or None

"""One tick, from yesterday's orders to the rows that record it.

Everything here builds candidates; nothing of a seat changes until the recorder has written the tick
and `apply` is called. The live market and a replay season go through the same code.
"""

from __future__ import annotations

import dataclasses
import logging
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from arena.core.exchange import Holding, Rules, Stepped, step
from arena.core.orders import Fill, Order, OrderStatus, Rejection
from arena.core.scoring import SNAPSHOT_EVERY
from arena.core.text import clean_line
from arena.engine.seat import FAILING_AFTER, Life, Pending, Seat
from arena.engine.standings import Candidate, standings
from arena.log import RateLimit
from arena.runtime.wire import Deeds
from arena.store.recorder import Recorder, TickWrites

log = logging.getLogger("arena.bots")
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
_LOG_REJECTIONS_PER_TICK = 20


class TickBuilder:
    """Collects what a tick does to every seat, and the rows that say so."""

    def __init__(
        self,
        season_id: str,
        n: int,
        time: float,
        rules: Rules,
        recorder: Recorder,
        limit: RateLimit,
    ) -> None:
        self.n = n
        self.time = time
        self.writes = TickWrites()
        self.candidates: dict[str, Candidate] = {}
        self.trades: list[dict[str, Any]] = []
        self._season_id = season_id
        self._rules = rules
        self._recorder = recorder
        self._limit = limit

    # -- settling -----------------------------------------------------------------------------------

    def settle(
        self,
        seats: Sequence[Seat],
        prices: Mapping[str, float],
        last_prices: Mapping[str, float],
        stale: frozenset[str] = frozenset(),
    ) -> None:
        """Fill or reject yesterday's orders at these prices and mark every account."""
        self.writes.tick = {
            "season_id": self._season_id, "n": self.n, "time": self.time, "prices": dict(prices),
        }  # fmt: skip
        holdings = [Holding(seat.name, seat.account, tuple(p.order for p in seat.pending)) for seat in seats]
        stepped = step(holdings, prices, last_prices, self._rules, stale)
        for seat, after in zip(seats, stepped, strict=True):
            self._settled(seat, after)

    def _settled(self, seat: Seat, after: Stepped) -> None:
        score = dataclasses.replace(seat.score)
        candidate = Candidate(
            seat, after.account, after.valuation, score,
            errors=seat.entry.errors, errors_in_a_row=seat.errors_in_a_row,
            last_error=seat.entry.last_error,
        )  # fmt: skip
        self.candidates[seat.id] = candidate
        for waiting, outcome in zip(seat.pending, after.outcomes, strict=True):
            if isinstance(outcome, Fill):
                self._filled(candidate, waiting, outcome)
            else:
                self._refused(candidate, waiting, outcome)
        score.mark(after.valuation.equity, exposed=bool(after.account.positions))

    def _filled(self, candidate: Candidate, waiting: Pending, fill: Fill) -> None:
        seat = candidate.seat
        self.writes.order_ends.append({
            "id": waiting.id, "status": OrderStatus.FILLED.value, "fill_time": self.time,
            "fill_price": fill.price, "fill_size": fill.size,
        })  # fmt: skip
        trade = {
            "id": self._recorder.next_trade_id(), "time": self.time,
            "bot_name": seat.name, "symbol": fill.symbol,
            "side": fill.side.value, "size": fill.size, "price": fill.price,
            "cash_after": fill.cash_after, "position_after": fill.position_after,
            "fee": fill.fee, "realized_pnl": fill.realized, "season_id": self._season_id,
            "bot_id": seat.id, "tick": self.n, "order_id": waiting.id,
        }  # fmt: skip
        self.writes.trades.append(trade)
        self.trades.append(trade)
        candidate.score.fill(fill.price * fill.size, fill.realized, is_sell=fill.side == "SELL")

    def _refused(self, candidate: Candidate, waiting: Pending, rejection: Rejection) -> None:
        reason = clean_line(rejection.reason)
        self.writes.order_ends.append({"id": waiting.id, "status": OrderStatus.REJECTED.value, "reason": reason})
        candidate.score.rejected += 1
        self.say(candidate.seat, "WARNING", reason)

    def note_start(self, seat: Seat, deeds: Deeds) -> None:
        """Take what load and init did; called before `settle`, so that orders fill at this tick."""
        for request in deeds.requests:
            if isinstance(request, Order):
                number = self._recorder.next_order_id()
                seat.pending.append(Pending(number, request))
                status, reason = OrderStatus.PENDING, None
            else:
                number = self._recorder.next_order_id()
                status, reason = OrderStatus.REJECTED, clean_line(request.reason)
                self.say(seat, "WARNING", reason)
            side = str(request.side)
            self.writes.orders.append(self._order_row(
                seat, number, request.symbol, side, request.size, status, reason))  # fmt: skip
        for level, text in deeds.logs:
            self.say(seat, level.name, text)
        for where, text, _ in deeds.errors:
            self.say(seat, "ERROR", f"Error in bot '{seat.name}' {where.name}: {text}")

    # -- what bots did ------------------------------------------------------------------------------

    def note(self, seat: Seat, deeds: Deeds) -> None:
        """Take what one bot did at this tick."""
        candidate = self.candidates[seat.id]
        rejected = 0
        for request in deeds.requests:
            if isinstance(request, Order):
                self._ordered(candidate, request)
            else:
                rejected += 1
                self._rejected_at_once(candidate, request, rejected)
        candidate.score.rejected += deeds.overflow
        if deeds.overflow:
            self.say(seat, "WARNING", f"{deeds.overflow} more orders rejected in this tick")
        for level, text in deeds.logs:
            self.say(seat, level.name, text)
        if deeds.logs_dropped:
            self.say(seat, "WARNING", f"{deeds.logs_dropped} log lines dropped")
        self._errors(candidate, deeds)

    def _errors(self, candidate: Candidate, deeds: Deeds) -> None:
        if not deeds.errors:
            candidate.errors_in_a_row = 0
            candidate.last_error = None
            return
        candidate.errors_in_a_row += 1
        candidate.errors += len(deeds.errors)
        for where, text, _ in deeds.errors:
            candidate.last_error = clean_line(text)
            row = candidate.errors_in_a_row
            if row <= FAILING_AFTER or row % 100 == 0:
                name = candidate.seat.name
                self.say(candidate.seat, "ERROR", f"Error in bot '{name}' {where.name}: {text}")

    def _ordered(self, candidate: Candidate, order: Order) -> None:
        number = self._recorder.next_order_id()
        candidate.pending.append(Pending(number, order))
        self.writes.orders.append(self._order_row(
            candidate.seat, number, order.symbol, order.side.value, order.size,
            OrderStatus.PENDING, None,
        ))  # fmt: skip

    def _rejected_at_once(self, candidate: Candidate, request: Rejection, count: int) -> None:
        reason = clean_line(request.reason)
        candidate.score.rejected += 1
        if not candidate.seat.may_record_rejection(self.time):
            return
        self.writes.orders.append(self._order_row(
            candidate.seat, self._recorder.next_order_id(), request.symbol, request.side,
            request.size, OrderStatus.REJECTED, reason,
        ))  # fmt: skip
        if count <= _LOG_REJECTIONS_PER_TICK:
            self.say(candidate.seat, "WARNING", reason)

    def _order_row(
        self,
        seat: Seat,
        number: int,
        symbol: str,
        side: str,
        size: float | None,
        status: OrderStatus,
        reason: str | None,
    ) -> dict[str, Any]:
        return {
            "id": number, "time": self.time, "bot_name": seat.name, "tick": self.n,
            "symbol": clean_line(symbol, 80), "side": clean_line(side, 80), "size": size,
            "status": status.value, "reason": reason, "season_id": self._season_id,
            "bot_id": seat.id, "fill_time": None, "fill_price": None, "fill_size": None,
        }  # fmt: skip

    def say(self, seat: Seat, level: str, text: str) -> None:
        """Write a line to the bot's log and, rate-limited, to the console."""
        line = clean_line(text)
        self.writes.logs.append({
            "season_id": self._season_id, "bot_id": seat.id, "tick": self.n, "time": self.time,
            "level": level, "message": line,
        })  # fmt: skip
        missed = self._limit.admit(seat.id)
        if missed is not None:
            more = f" (and {missed} lines before it)" if missed else ""
            log.log(_LEVELS[level], "%s: %s%s", seat.name, line, more)

    def event(self, seat: Seat, event: str, detail: str = "") -> None:
        """Journal something unusual about one bot at this tick."""
        self.writes.bot_ticks.append({
            "season_id": self._season_id, "tick": self.n, "bot_id": seat.id, "event": event,
            "detail": clean_line(detail),
        })  # fmt: skip

    def cancel(self, seat: Seat) -> None:
        """Cancel the orders that a bot has made at this tick."""
        candidate = self.candidates.get(seat.id)
        if candidate is None:
            # Before settling, so what waits is of the tick before, or of init.
            cancelled = OrderStatus.CANCELLED.value
            self.writes.order_ends += [{"id": waiting.id, "status": cancelled} for waiting in seat.pending]
            seat.pending = []
            return
        for waiting in candidate.pending:
            for row in self.writes.orders:
                if row["id"] == waiting.id:
                    row["status"] = OrderStatus.CANCELLED.value
        candidate.pending = []

    # -- closing ------------------------------------------------------------------------------------

    def snapshot(self, seats: Sequence[Seat], spacing: float, *, last: bool = False) -> bool:
        """Write equity rows and standings at every tenth tick; say whether this was one."""
        if self.n % SNAPSHOT_EVERY and not last:
            return False
        shown = [seat for seat in seats if seat.life is not Life.RETIRED]
        for seat in shown:
            candidate = self.candidates[seat.id]
            candidate.score.snapshot(candidate.valuation.equity)
            self.writes.equity.append({
                "time": self.time, "bot_name": seat.name, "equity": candidate.valuation.equity,
                "realized_pnl": candidate.account.realized,
                "unrealized_pnl": candidate.valuation.unrealized, "cash": candidate.account.cash,
                "season_id": self._season_id, "bot_id": seat.id, "tick": self.n,
            })  # fmt: skip
        self.writes.standings += standings(
            [self.candidates[seat.id] for seat in shown], self._season_id, self.n, self.time, spacing
        )
        return True

    def entry_updates(self) -> None:
        """Write what has changed in the entries: error counts and last errors."""
        for candidate in self.candidates.values():
            entry = candidate.seat.entry
            changed = (candidate.errors, candidate.last_error) != (entry.errors, entry.last_error)
            if changed:
                self.writes.entries.append({
                    "season_id": self._season_id, "bot_id": candidate.seat.id,
                    "errors": candidate.errors, "last_error": candidate.last_error,
                })  # fmt: skip

    def apply(self) -> None:
        """Make the candidates true; the recorder has written them."""
        for candidate in self.candidates.values():
            seat = candidate.seat
            seat.account, seat.score = candidate.account, candidate.score
            seat.equity = candidate.valuation.equity
            seat.unrealized = candidate.valuation.unrealized
            seat.pending = candidate.pending
            seat.entry.errors, seat.entry.last_error = candidate.errors, candidate.last_error
            seat.errors_in_a_row = candidate.errors_in_a_row


def pack_rows(time: float, symbols: Sequence[str], prices: Mapping[str, float]) -> bytes:
    """Return the row of one tick as float64: time, then a price or NaN per symbol."""
    nan = float("nan")
    values = [time, *(prices.get(symbol, nan) for symbol in symbols)]
    return struct.pack(f"<{len(values)}d", *values)

"""One tick, from yesterday's orders to the rows that record it.

Everything here builds candidates; nothing of a seat changes until the recorder has written the tick
and `apply` is called. The live market and a replay season go through the same code.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from arena.core.exchange import USUAL, Conditions, Holding, Rules, Stepped, step
from arena.core.ledger import Account, Valuation
from arena.core.orders import Fill, Order, OrderStatus, Rejection
from arena.core.scoring import SNAPSHOT_EVERY
from arena.core.text import clean_line
from arena.engine.live.season_scores import SeasonScores
from arena.engine.live.standings import SeatUpdate, standings
from arena.engine.seat import FAILING_AFTER, Life, Pending, Seat, Tally
from arena.log import RateLimit
from arena.runtime.wire import BotActions
from arena.store.recorder import Recorder, TickWrites

log = logging.getLogger("arena.bots")
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
_LOG_REJECTIONS_PER_TICK = 20
LOG_BYTES_A_DAY = 16 << 20


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
        log_bytes_a_day: int = LOG_BYTES_A_DAY,
    ) -> None:
        self.n = n
        self.time = time
        self.writes = TickWrites()
        self.candidates: dict[str, SeatUpdate] = {}
        self.trades: list[dict[str, Any]] = []
        self._season_id = season_id
        self._rules = rules
        self._recorder = recorder
        self._limit = limit
        self._log_bytes = log_bytes_a_day

    # -- settling -----------------------------------------------------------------------------------

    def settle(
        self,
        seats: Sequence[Seat],
        prices: Mapping[str, float],
        last_prices: Mapping[str, float],
        conditions: Conditions = USUAL,
    ) -> None:
        """Settle what has ended, fill or reject yesterday's orders at these prices, mark every account."""
        self.writes.tick = {
            "season_id": self._season_id, "n": self.n, "time": self.time, "prices": dict(prices),
            "conditions": _journaled(conditions, seats),
        }  # fmt: skip
        holdings = [Holding(seat.name, seat.account, tuple(p.order for p in seat.pending)) for seat in seats]
        stepped = step(holdings, prices, last_prices, self._rules, conditions, self.time)
        for seat, after in zip(seats, stepped, strict=True):
            self._settled(seat, after)

    def _settled(self, seat: Seat, after: Stepped) -> None:
        candidate = self._candidate(seat, after.account, after.valuation)
        for fill in after.redeemed:
            self._traded(candidate, None, fill)
            self.say(seat, "INFO", f"{fill.symbol} has ended: {fill.size:g} settled at {fill.price:g}")
        for waiting, outcome in zip(seat.pending, after.outcomes, strict=True):
            if isinstance(outcome, Fill):
                self._filled(candidate, waiting, outcome)
            else:
                self._refused(candidate, waiting, outcome)
        candidate.score.mark(after.valuation.equity, exposed=bool(after.account.positions))

    def _candidate(self, seat: Seat, account: Account, valuation: Valuation) -> SeatUpdate:
        candidate = SeatUpdate(
            seat, account, valuation, seat.score.copy(), seat.tally,
            errors=seat.errors, errors_in_a_row=seat.errors_in_a_row, last_error=seat.last_error,
            good_tick=seat.good_tick, rejection=seat.rejection,
        )  # fmt: skip
        self.candidates[seat.id] = candidate
        return candidate

    def hold(self, seats: Sequence[Seat]) -> None:
        """Take every seat as it stands, without a tick of the market."""
        for seat in seats:
            self._candidate(seat, seat.account, Valuation(seat.equity, seat.unrealized))

    def _filled(self, candidate: SeatUpdate, waiting: Pending, fill: Fill) -> None:
        self.writes.order_ends.append({
            "id": waiting.id, "status": OrderStatus.FILLED.value, "fill_time": self.time,
            "fill_price": fill.price, "fill_size": fill.size,
        })  # fmt: skip
        self._traded(candidate, waiting.id, fill)

    def _traded(self, candidate: SeatUpdate, order_id: int | None, fill: Fill) -> None:
        seat = candidate.seat
        trade = {
            "id": self._recorder.next_trade_id(), "time": self.time,
            "bot_name": seat.name, "symbol": fill.symbol,
            "side": fill.side.value, "size": fill.size, "price": fill.price,
            "cash_after": fill.cash_after, "position_after": fill.position_after,
            "fee": fill.fee, "realized_pnl": fill.realized, "season_id": self._season_id,
            "bot_id": seat.id, "tick": self.n, "order_id": order_id,
        }  # fmt: skip
        self.writes.trades.append(trade)
        self.trades.append(trade)
        candidate.score.fill(fill.price * fill.size, fill.realized, is_sell=fill.side == "SELL")

    def _refused(self, candidate: SeatUpdate, waiting: Pending, rejection: Rejection) -> None:
        reason = clean_line(rejection.reason)
        candidate.score.rejected += 1
        candidate.rejection = reason
        if self._own_tally(candidate).may_record_rejection(self.time):
            self.writes.order_ends.append({"id": waiting.id, "status": OrderStatus.REJECTED.value, "reason": reason})
            self._hear(candidate.seat, "WARNING", reason)
        else:
            self.writes.orders_dropped.append(waiting.id)

    @staticmethod
    def _own_tally(candidate: SeatUpdate) -> Tally:
        """Return the tally that this tick may change: the seat's own stays true until the tick is recorded."""
        if candidate.tally is candidate.seat.tally:
            candidate.tally = dataclasses.replace(candidate.tally)
        return candidate.tally

    def note_start(self, seat: Seat, deeds: BotActions) -> None:
        """Take what load and init did; called before `settle`, so that orders fill at this tick."""
        rejected = 0
        for request in deeds.requests:
            if isinstance(request, Order):
                self._ordered(seat, seat.launched[1], seat.tally, seat.pending, request)
            else:
                rejected += 1
                self._rejected_at_once(seat, seat.launched[1], seat.tally, request, rejected)
        for level, text in deeds.logs:
            self._hear(seat, level.name, text)
        for error in deeds.errors:
            self._hear(seat, "ERROR", f"Error in bot '{seat.name}' {error.where.name}: {error.told(self.n)}")

    # -- what bots did ------------------------------------------------------------------------------

    def note(self, seat: Seat, deeds: BotActions) -> None:
        """Take what one bot did at this tick."""
        candidate = self.candidates[seat.id]
        tally = self._own_tally(candidate) if deeds.requests else candidate.tally
        rejected = 0
        for request in deeds.requests:
            if isinstance(request, Order):
                self._ordered(seat, self.time, tally, candidate.pending, request)
            else:
                rejected += 1
                self._rejected_at_once(seat, self.time, tally, request, rejected)
                candidate.rejection = request.reason
        candidate.score.rejected += rejected + deeds.overflow
        if deeds.overflow:
            self._hear(seat, "WARNING", f"{deeds.overflow} more orders rejected in this tick")
        for level, text in deeds.logs:
            self._hear(seat, level.name, text)
        if deeds.logs_dropped:
            self._hear(seat, "WARNING", f"{deeds.logs_dropped} log lines dropped")
        self._errors(candidate, deeds)

    def note_nothing(self, seat: Seat) -> None:
        """Take that a bot did nothing at this tick, and so nothing wrong."""
        candidate = self.candidates[seat.id]
        candidate.errors_in_a_row = 0
        candidate.last_error = None
        candidate.good_tick = True

    def _errors(self, candidate: SeatUpdate, deeds: BotActions) -> None:
        if not deeds.errors:
            candidate.errors_in_a_row = 0
            candidate.last_error = None
            candidate.good_tick = True
            return
        candidate.errors_in_a_row += 1
        candidate.errors += len(deeds.errors)
        for error in deeds.errors:
            candidate.last_error = error.told(self.n)
            row = candidate.errors_in_a_row
            if row <= FAILING_AFTER or row % 100 == 0:
                name = candidate.seat.name
                self._hear(candidate.seat, "ERROR", f"Error in bot '{name}' {error.where.name}: {candidate.last_error}")

    def _ordered(self, seat: Seat, time: float, tally: Tally, pending: list[Pending], order: Order) -> None:
        number = self._recorder.next_order_id()
        pending.append(Pending(number, order))
        row = self._order_row(seat, number, time, order, OrderStatus.PENDING, None)
        tally.note(self.n, row["symbol"], row["side"], order.size, None)
        self.writes.orders.append(row)

    def _rejected_at_once(self, seat: Seat, time: float, tally: Tally, request: Rejection, count: int) -> None:
        reason = clean_line(request.reason)
        row = self._order_row(seat, 0, time, request, OrderStatus.REJECTED, reason)
        tally.note(self.n, row["symbol"], row["side"], request.size, reason)
        if not tally.may_record_rejection(time):
            return
        self.writes.orders.append({**row, "id": self._recorder.next_order_id()})
        if count <= _LOG_REJECTIONS_PER_TICK:
            self._hear(seat, "WARNING", reason)

    def _order_row(
        self, seat: Seat, number: int, time: float, request: Order | Rejection, status: OrderStatus, reason: str | None
    ) -> dict[str, Any]:
        return {
            "id": number, "time": time, "bot_name": seat.name, "tick": self.n,
            "symbol": clean_line(request.symbol, 80), "side": clean_line(str(request.side), 80),
            "size": request.size, "status": status.value, "reason": reason,
            "season_id": self._season_id, "bot_id": seat.id,
            "fill_time": None, "fill_price": None, "fill_size": None,
        }  # fmt: skip

    def _hear(self, seat: Seat, level: str, text: str) -> None:
        """Write a line that a bot has caused, where its day's allowance of log has room for it."""
        if seat.talk.admit(self.time, len(text) + 32, self._log_bytes):
            self.say(seat, level, text)
        elif seat.talk.dropped == 1:
            limit = f"Daily limit of {self._log_bytes:,} bytes of log reached"
            self.say(seat, "WARNING", f"{limit}: further lines of today are counted, not kept")

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

    def score_point(self, seats: Sequence[Seat], scores: SeasonScores, prices: Mapping[str, float]) -> None:
        """Write the equities at a score point, where this tick is one; `prices` are the last known ones."""
        if not scores.clock.due(self.time):
            return
        equities = {}
        for seat in seats:
            if seat.life is not Life.RETIRED:
                candidate = self.candidates[seat.id]
                equities[seat.id] = candidate.valuation.equity
                candidate.score.point(candidate.valuation.equity, self.time)
        self.writes.score_points.append(scores.point(self.n, self.time, equities, prices))

    def snapshot(
        self, seats: Sequence[Seat], scores: SeasonScores, prices: Mapping[str, float], *, last: bool = False
    ) -> bool:
        """Write equity rows and standings at every tenth tick; say whether this was one."""
        if self.n % SNAPSHOT_EVERY and not last:
            return False
        shown = [seat for seat in seats if seat.life is not Life.RETIRED]
        for seat in shown:
            candidate = self.candidates[seat.id]
            self.writes.equity.append({
                "time": self.time, "bot_name": seat.name, "equity": candidate.valuation.equity,
                "realized_pnl": candidate.account.realized,
                "unrealized_pnl": candidate.valuation.unrealized, "cash": candidate.account.cash,
                "season_id": self._season_id, "bot_id": seat.id, "tick": self.n,
            })  # fmt: skip
        rows, summary = standings(
            [self.candidates[seat.id] for seat in shown],
            self._season_id, self.n, self.time, self._rules.fills_a_day, scores, prices,
        )  # fmt: skip
        self.writes.standings += rows
        self.writes.summary.append({"season_id": self._season_id, "tick": self.n, "document": summary})
        return True

    def entry_updates(self) -> None:
        """Write what has changed in the entries: error counts, last errors, and the chain of orders."""
        for candidate in self.candidates.values():
            seat, tally = candidate.seat, candidate.tally
            before = (seat.errors, seat.last_error, seat.errors_in_a_row, seat.good_tick, seat.recorded)
            after = (candidate.errors, candidate.last_error, candidate.errors_in_a_row, candidate.good_tick, tally.told)
            if before != after:
                self.writes.entries.append({
                    "season_id": self._season_id, "bot_id": seat.id,
                    "errors": candidate.errors, "last_error": candidate.last_error,
                    "errors_in_a_row": candidate.errors_in_a_row,
                    "orders_count": tally.orders, "orders_digest": tally.digest,
                    "rejections_day": tally.day, "rejections_today": tally.rejected,
                    "good_tick": candidate.good_tick,
                })  # fmt: skip

    def apply(self) -> None:
        """Make the candidates true; the recorder has written them."""
        for candidate in self.candidates.values():
            seat = candidate.seat
            seat.account, seat.score = candidate.account, candidate.score
            seat.equity = candidate.valuation.equity
            seat.unrealized = candidate.valuation.unrealized
            seat.pending, seat.tally = candidate.pending, candidate.tally
            seat.recorded = candidate.tally.told
            seat.good_tick, seat.rejection = candidate.good_tick, candidate.rejection
            seat.errors, seat.last_error = candidate.errors, candidate.last_error
            seat.errors_in_a_row = candidate.errors_in_a_row


def _journaled(conditions: Conditions, seats: Sequence[Seat]) -> dict[str, Any] | None:
    """Return what of a tick's conditions has mattered to anybody, None for a usual tick."""
    if not conditions:
        return None
    asked = {waiting.order.symbol for seat in seats for waiting in seat.pending} & conditions.barred.keys()
    barred = {symbol: conditions.barred[symbol] for symbol in sorted(asked)}
    found = {"barred": barred, "ended": dict(conditions.ended)}
    return {name: value for name, value in found.items() if value} or None

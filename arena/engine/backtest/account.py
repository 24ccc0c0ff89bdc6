"""The account of one isolated bot while its worker runs through a recorded market.

The worker runs ahead with a mirror of its account. The account here recomputes every fill with the same ledger,
marks many ticks at once, and refuses a worker whose mirror differs. With runs of one tick (lockstep) no future
price enters the worker.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter

from arena.core.exchange import USUAL, Conditions, Rules, redeem, settle
from arena.core.ledger import Account
from arena.core.orders import Fill, Order, OrderStatus, Rejection, Side, Waiting
from arena.core.scoring import Score
from arena.core.text import clean_line
from arena.engine.backtest.market import RecordedMarket
from arena.engine.backtest.marking import EquityMarker
from arena.engine.backtest.record import OrderRecord, RunRecord, TradeRecord, rejected_count
from arena.engine.backtest.run_packer import RunPacker
from arena.runtime.wire import HEAD_BYTES, BotActions, BotReply, read_head, read_reply

__all__ = ["BacktestAccount", "OrderRecord", "RecordedMarket", "TradeRecord", "rejected_count"]

# Looked up once: an enumeration's attribute costs ten times a global.
_SELL, _FILLED = Side.SELL, OrderStatus.FILLED
_DUE = itemgetter(0)
# So many ticks are marked at once: few calls of numpy, and its arrays stay in the CPU's cache.
_MARKED_AT_ONCE = 4096


class BacktestAccount:
    """The authoritative account of one bot while its worker runs through a market."""

    def __init__(self, bot_name: str, market: RecordedMarket, rules: Rules) -> None:
        self.bot_name = bot_name
        self.market = market
        self.rules = rules
        self.account = Account(rules.starting_cash)
        self.score = Score(rules.starting_cash)
        self.ledger = RunRecord()
        self._marks = EquityMarker(market, self.score, self.ledger.equity, self.ledger.score_points)
        self.sent = 0
        self._settled = 0
        self._delay = rules.delay_ticks
        # Orders that wait, in the order in which they are due: the tick that each settles at, its record, the order.
        self._pending: list[tuple[int, OrderRecord, Order]] = []
        self._unread: tuple[bytes, int, int] | None = None
        self._columns = {symbol: i for i, symbol in enumerate(market.symbols, 1)}
        self._ticks = len(market)
        self._width = 1 + len(market.symbols)
        self._values = market.values
        self._packer = RunPacker(market)
        self._special = self._packer.special_ticks

    def begin_at(self, tick: int, account: Account, waiting: Sequence[Waiting]) -> None:
        """Go on before `tick` with an account and the orders that wait; what was before is not in the record."""
        self.sent = self._settled = self._marks.until = tick
        self.account = account
        time = self.market.time(tick - 1) if tick else 0.0
        self._pending = [
            (tick - 1 + left, OrderRecord(tick - 1, time, order.symbol, order.side.value, order.size), order)
            for left, order in waiting
        ]

    # -- what goes to the worker ----------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Say whether every tick has been played."""
        return self.sent >= self._ticks

    @property
    def runs_on(self) -> bool:
        """Say whether the next run can go out before the last reply has been read through."""
        return self._packer.mirrored and self.sent < self._ticks and self.sent not in self.market.conditions

    def next_run(self, ticks: int) -> tuple[bytes, int]:
        """Return the next run of at most `ticks` ticks and its length."""
        start, packer = self.sent, self._packer
        if not packer.needs_account(start):
            end = packer.end_of_run(start, ticks)
            return packer.pack(start, end, None), end - start
        self._settle_before(start + 1)
        untold = self._pending
        # A worker that is told its account knows of no order before it: where one settles, it is told again.
        end = packer.end_of_run(start, min(ticks, untold[0][0] - start) if untold else ticks)
        run = packer.pack(start, end, self.account)
        packer.mirrored = not untold
        return run, end - start

    def next_tick(self) -> tuple[bytes, bytes | None]:
        """Return a run of the next tick alone, and the reply that says that nothing was done, where it is known.

        Waiting orders are settled first, so that the account after this tick is known before the worker is asked.
        """
        packer, n = self._packer, self.sent
        if not (packer.mirrored and packer.knows_symbols) or self._special:
            return self.next_run(1)[0], None
        if self._pending:
            self._settle_before(n + 1)
        return self.market.alone(n), packer.quiet_reply(self.account)

    def most_quiet_ticks(self, most: int) -> int:
        """Return how many of the next `most` ticks come before an order settles."""
        return min(most, self._pending[0][0] - self.sent) if self._pending else most

    def pass_ticks(self, count: int) -> None:
        """Take that nothing was done at the next `count` ticks, which have been sent."""
        self.sent = self._settled = self.sent + count
        if self.sent >= self._ticks or self.sent - self._marks.until >= _MARKED_AT_ONCE:
            self._mark()

    # -- what comes back --------------------------------------------------------------------------

    def started(self, payload: bytes, time: float | None = None) -> None:
        """Take what load and init did at a clock of `time`; ValueError where the reply breaks the protocol."""
        self._packer.mirrored = False
        reply = read_reply(payload, 0)
        if time is None:
            time = self.market.time(self.sent - 1) if self.sent else 0.0
        # Before any tick the bot's clock stands at 0, which is no time for a line of a log.
        said = time if self.sent or not self._ticks else self.market.time(0)
        for deeds in reply.deeds.values():
            # An order of theirs counts as made at the tick before.
            self._note(deeds, self.sent, time, said, self.sent - 1 + self._delay)

    def take(self, payload: bytes, sent: int) -> int:
        """Take a run's reply and return the ticks it covers; ValueError for a protocol break."""
        done = self.receive(payload, sent)
        self.read()
        return done

    def receive(self, payload: bytes, sent: int) -> int:
        """Take a run's reply by its head alone, so that the next run can go out; `read` does the rest."""
        start = self.sent
        done, cash, realized = read_head(payload, sent)
        if done == 0:
            raise ValueError("a reply that covers no tick")
        if len(payload) == HEAD_BYTES:
            # The usual tick of lockstep: nothing was done, so that all has been read already.
            if self._pending or self._special:
                self._settle_before(start + done)
            elif self._settled < start + done:
                self._settled = start + done
            self._compare(cash, realized)
        else:
            self._unread = (payload, sent, start)
        self.sent = start + done
        return done

    def read(self) -> None:
        """Recompute what the reply received last says; ValueError for a protocol break."""
        if self._unread is not None:
            (payload, sent, start), self._unread = self._unread, None
            try:
                self._replay(read_reply(payload, sent), start)
            except ValueError:
                self.sent = start
                raise
        if self.sent >= self._ticks or self.sent - self._marks.until >= _MARKED_AT_ONCE:
            self._mark()

    def _replay(self, reply: BotReply, start: int) -> None:
        for offset, deeds in reply.deeds.items():
            tick = start + offset
            self._settle_before(tick + 1)
            time = self._values[tick * self._width]
            self._note(deeds, tick, time, time, tick + self._delay)
        self._settle_before(start + reply.done)
        self._compare(reply.cash, reply.realized)

    def _compare(self, cash: float, realized: float) -> None:
        if cash != self.account.cash or realized != self.account.realized:
            raise ValueError(f"a mirror of the account that differs: {cash!r}")

    def skip(self) -> None:
        """Go past a tick whose answer did not count."""
        self._packer.mirrored = False
        self.sent += 1
        self._settle_before(self.sent)
        if self.finished:
            self._mark()

    def skip_to(self, tick: int) -> None:
        """Go past the ticks before `tick`, as `skip` does one by one."""
        end = min(tick, self._ticks)
        if end <= self.sent:
            return
        self._packer.mirrored = False
        self.sent = end
        self._settle_before(end)
        if self.finished:
            self._mark()

    def _note(self, deeds: BotActions, tick: int, time: float, said: float, due: int) -> None:
        for request in deeds.requests:
            self._note_request(request, tick, time, said, due)
        self.ledger.note(self.bot_name, deeds, said, tick)

    def _note_request(self, request: Order | Rejection, tick: int, time: float, said: float, due: int) -> None:
        if isinstance(request, Order):
            side = "SELL" if request.side is _SELL else "BUY"
            record = OrderRecord(tick, time, request.symbol, side, request.size)
            self._pending.append((due, record, request))
        else:
            side = clean_line(request.side, 80)
            symbol = clean_line(request.symbol, 80)
            reason = clean_line(request.reason)
            record = OrderRecord(tick, time, symbol, side, request.size, OrderStatus.REJECTED, reason, at_once=True)
            self.ledger.say(said, "WARNING", reason)
        self.ledger.orders.append(record)

    # -- settling -----------------------------------------------------------------------------------

    def _settle_before(self, end: int) -> None:
        """Settle at the ticks before `end` that have not been: where an order is due, or the market has conditions."""
        start, self._settled = self._settled, max(self._settled, end)
        if start >= end:
            return
        if self._special:
            for n in self._special[bisect_left(self._special, start) : bisect_left(self._special, end)]:
                self._settle_due(n)
                self._settle_at(n)
        if self._pending:
            self._settle_due(end)

    def _settle_due(self, end: int) -> None:
        """Settle at each tick before `end` that an order is due at; none of these ticks has conditions."""
        while self._pending and self._pending[0][0] < end:
            self._settle_at(self._pending[0][0])

    def _settle_at(self, n: int) -> None:
        before, time = self.account, self._values[n * self._width]
        conditions = self.market.conditions.get(n, USUAL) if self._special else USUAL
        if conditions.ended:
            self.account, redeemed = redeem(self.account, conditions.ended)
            for fill in redeemed:
                self._fill(n, time, fill)
        if self._pending and self._pending[0][0] <= n:
            self._settle_waiting(n, time, conditions)
        if self.account is not before:
            self._marks.changes(n, before)

    def _settle_waiting(self, n: int, time: float, conditions: Conditions) -> None:
        count = bisect_right(self._pending, n, key=_DUE)
        waiting, self._pending = self._pending[:count], self._pending[count:]
        orders = [order for _, _, order in waiting]
        self.account, outcomes = settle(
            self.bot_name, self.account, orders, self._prices_of(orders, n), self.rules, conditions.barred, time
        )
        for (_, record, _), outcome in zip(waiting, outcomes, strict=True):
            if type(outcome) is Fill:
                record.status, record.fill_time = _FILLED, time
                record.fill_price, record.fill_size = outcome.price, outcome.size
                self._fill(n, time, outcome)
            elif isinstance(outcome, Rejection):
                record.status, record.reason = OrderStatus.REJECTED, clean_line(outcome.reason)
                record.settled = n
                self.ledger.say(time, "WARNING", outcome.reason)

    def _prices_of(self, orders: list[Order], n: int) -> dict[str, float]:
        """Return the prices of tick n that these orders can meet."""
        prices = {}
        for order in orders:
            column = self._columns.get(order.symbol)
            if column is not None:
                price = self._values[n * self._width + column]
                if price == price:  # noqa: PLR0124 - NaN is no price
                    prices[order.symbol] = price
        return prices

    def _mark(self) -> None:
        self._marks.mark(self._settled, self.account)

    def _fill(self, n: int, time: float, fill: Fill) -> None:
        self.ledger.trades.append(TradeRecord(n, time, fill))
        self.score.fill(fill.price * fill.size, fill.realized, is_sell=fill.side is _SELL)

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Expire what still waits: there is no later tick."""
        self._drop_pending(OrderStatus.EXPIRED)
        self._mark()

    def cancel_pending(self) -> None:
        """Cancel what waits, for a bot that is out."""
        self._packer.mirrored = False
        self._drop_pending(OrderStatus.CANCELLED)

    def _drop_pending(self, status: OrderStatus) -> None:
        for _, record, _ in self._pending:
            record.status = status
        self._pending = []

    def mark_rest(self) -> None:
        """Mark to the end of the market without asking the bot any more."""
        self.sent = len(self.market)
        self._settle_before(self.sent)
        self._mark()

    @property
    def waiting(self) -> list[Waiting]:
        """Return the orders that wait, in order."""
        return [Waiting(due - self.sent + 1, order) for due, _, order in self._pending]

    @property
    def equity(self) -> float:
        """Return the equity at the last marked tick."""
        return self.ledger.equity[-1][2] if self.ledger.equity else self.account.cash

"""One isolated bot over a recorded market.

The parent ships runs of ticks; the worker runs ahead with a mirror of its account; this file
recomputes every fill with the same ledger, marks the account vectorised between acts, and refuses a
worker whose mirror differs. With runs of one tick (lockstep) no future price enters the worker.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arena.core.exchange import USUAL, Conditions, Rules, redeem, settle
from arena.core.ledger import Account, mark
from arena.core.orders import Fill, Order, OrderStatus, Rejection
from arena.core.scoring import SNAPSHOT_EVERY, Score
from arena.core.text import clean_line
from arena.runtime.wire import Deeds, Level, Reply, Where, pack_run, read_reply

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_LOG_LINES = 20_000


@dataclass(slots=True)
class Market:
    """Recorded ticks: `rows` is float64 (ticks, 1 + symbols), time first, NaN for no price.

    `conditions` are those of the ticks that had any. A symbol that has lost its price is valued at
    its last one: `marks` is `rows` with these carried on, from `before` where the first rows lack them.
    """

    symbols: tuple[str, ...]
    rows: npt.NDArray[np.float64]
    conditions: Mapping[int, Conditions] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    marks: npt.NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.marks = carried(self.rows, [self.before.get(symbol) for symbol in self.symbols])

    def __len__(self) -> int:
        return len(self.rows)

    def prices(self, n: int) -> dict[str, float]:
        """Return the prices of tick n."""
        row = self.rows[n].tolist()
        return {s: p for s, p in zip(self.symbols, row[1:], strict=True) if p == p}  # noqa: PLR0124

    def last_prices(self, n: int) -> dict[str, float]:
        """Return the last known prices as of tick n."""
        row = self.marks[n].tolist()
        return {s: p for s, p in zip(self.symbols, row[1:], strict=True) if p == p}  # noqa: PLR0124

    def time(self, n: int) -> float:
        """Return the time of tick n."""
        return float(self.rows[n, 0])


def carried(rows: npt.NDArray[np.float64], before: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Return the rows with each missing price replaced by the one before it; the same array if none is missing."""
    import numpy as np

    missing = np.isnan(rows)
    if not missing.any():
        return rows
    filled = rows.copy()
    for column, price in enumerate(before, 1):
        gaps = missing[:, column]
        last = np.where(gaps, -1, np.arange(len(rows)))
        last = np.maximum.accumulate(last)
        first = np.nan if price is None else price
        filled[:, column] = np.where(last >= 0, rows[last, column], first)
    return filled


@dataclass(slots=True)
class OrderRecord:
    """One order as it is reported; `tick` is the tick it was made at, `at_once` says it was rejected there."""

    tick: int
    time: float
    symbol: str
    side: str
    size: float | None
    status: OrderStatus = OrderStatus.PENDING
    reason: str | None = None
    fill_time: float | None = None
    fill_price: float | None = None
    fill_size: float | None = None
    at_once: bool = False


@dataclass(slots=True)
class TradeRecord:
    """One fill as it is reported; `tick` is the tick it happened at."""

    tick: int
    time: float
    fill: Fill


@dataclass(slots=True)
class Ledger:
    """Everything one bot's play leaves behind."""

    orders: list[OrderRecord] = field(default_factory=list)
    trades: list[TradeRecord] = field(default_factory=list)
    logs: list[tuple[float, str, str]] = field(default_factory=list)
    equity: list[tuple[int, float, float, float, float, float]] = field(default_factory=list)
    overflow: int = 0
    errors: int = 0
    error_ticks: int = 0
    last_error: str | None = None
    load_failed: bool = False


class Play:
    """The authoritative account of one bot while its worker runs through a market."""

    def __init__(self, bot_name: str, market: Market, rules: Rules) -> None:
        self.bot_name = bot_name
        self.market = market
        self.rules = rules
        self.account = Account(rules.starting_cash)
        self.score = Score(rules.starting_cash)
        self.ledger = Ledger()
        self.sent = 0
        self._marked = 0
        self._pending: list[tuple[OrderRecord, Order]] = []
        self._told_symbols = False
        self._order_size = {symbol: i for i, symbol in enumerate(market.symbols)}
        # A run never crosses such a tick: the worker's mirror does not know of conditions.
        self._unusual = sorted(market.conditions)

    # -- what goes to the worker ----------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Say whether every tick has been played."""
        return self.sent >= len(self.market)

    def next_run(self, ticks: int) -> tuple[bytes, int]:
        """Return the next run of at most `ticks` ticks and its length."""
        self._settle_first()
        after = self._unusual[bisect_right(self._unusual, self.sent) :][:1]
        end = min(self.sent + ticks, len(self.market), *after)
        rows = self.market.rows[self.sent : end].tobytes()
        count = end - self.sent
        with_symbols = not self._told_symbols
        self._told_symbols = True
        payload = pack_run(rows, count, self.market.symbols, self.account, with_symbols=with_symbols)
        return payload, count

    # -- what comes back --------------------------------------------------------------------------

    def started(self, payload: bytes, time: float | None = None) -> None:
        """Take what load and init did at a clock of `time`; ValueError where the reply breaks the protocol."""
        reply = read_reply(payload, 0)
        if time is None:
            time = self.market.time(self.sent - 1) if self.sent else 0.0
        for deeds in reply.deeds.values():
            self._note(deeds, self.sent, time)

    def take(self, payload: bytes, sent: int) -> int:
        """Take a run's reply and return the ticks it covers; ValueError for a protocol break."""
        reply = read_reply(payload, sent)
        if reply.done == 0:
            raise ValueError("a reply that covers no tick")
        for offset, deeds in reply.deeds.items():
            tick = self.sent + offset
            self._mark_until(tick + 1)
            self._note(deeds, tick, self.market.time(tick))
        self._mark_until(self.sent + reply.done)
        self._compare(reply)
        self.sent += reply.done
        return reply.done

    def skip(self) -> None:
        """Go past a tick whose answer did not count."""
        self._mark_until(self.sent + 1)
        self.sent += 1

    def _compare(self, reply: Reply) -> None:
        mine = (self.account.cash, self.account.realized)
        if (reply.cash, reply.realized) != mine:
            raise ValueError(f"a mirror of the account that differs: {reply.cash!r}")

    def _note(self, deeds: Deeds, tick: int, time: float) -> None:
        for request in deeds.requests:
            self._note_request(request, tick, time)
        self.ledger.overflow += deeds.overflow
        for level, text in deeds.logs:
            self._log(time, level.name, text)
        if deeds.logs_dropped:
            self._log(time, Level.WARNING.name, f"{deeds.logs_dropped} log lines dropped")
        self.ledger.error_ticks += bool(deeds.errors)
        for where, text, _ in deeds.errors:
            self._note_error(where, text, time)
        if not deeds.errors:
            self.ledger.last_error = None

    def _note_error(self, where: Where, text: str, time: float) -> None:
        self.ledger.errors += 1
        self.ledger.last_error = text
        self.ledger.load_failed |= where is Where.load
        self._log(time, "ERROR", f"Error in bot '{self.bot_name}' {where.name}: {text}")

    def _note_request(self, request: Order | Rejection, tick: int, time: float) -> None:
        if isinstance(request, Order):
            record = OrderRecord(tick, time, request.symbol, request.side.value, request.size)
            self._pending.append((record, request))
        else:
            side = clean_line(request.side, 80)
            symbol = clean_line(request.symbol, 80)
            reason = clean_line(request.reason)
            record = OrderRecord(tick, time, symbol, side, request.size, OrderStatus.REJECTED, reason, at_once=True)
            self._log(time, "WARNING", reason)
        self.ledger.orders.append(record)

    def _log(self, time: float, level: str, text: str) -> None:
        if len(self.ledger.logs) < MAX_LOG_LINES:
            self.ledger.logs.append((time, level, clean_line(text)))

    # -- settling and marking -----------------------------------------------------------------------

    def _settle_first(self) -> None:
        """Settle what waits at the next unmarked tick, so that the account sent is up to date."""
        n = self._marked
        conditions = self.market.conditions.get(n, USUAL)
        if not (self._pending or conditions.ended) or n >= len(self.market):
            return
        time = self.market.time(n)
        self.account, redeemed = redeem(self.account, conditions.ended)
        for fill in redeemed:
            self._fill(n, time, fill)
        waiting, self._pending = self._pending, []
        settled = settle(
            self.bot_name, self.account, [order for _, order in waiting],
            self.market.prices(n), self.rules, conditions.barred,
        )  # fmt: skip
        self.account = settled.account
        for (record, _), outcome in zip(waiting, settled.outcomes, strict=True):
            if isinstance(outcome, Rejection):
                record.status, record.reason = OrderStatus.REJECTED, clean_line(outcome.reason)
                self._log(time, "WARNING", outcome.reason)
                continue
            record.status, record.fill_time = OrderStatus.FILLED, time
            record.fill_price, record.fill_size = outcome.price, outcome.size
            self._fill(n, time, outcome)

    def _fill(self, n: int, time: float, fill: Fill) -> None:
        self.ledger.trades.append(TradeRecord(n, time, fill))
        self.score.fill(fill.price * fill.size, fill.realized, is_sell=fill.side == "SELL")

    def _mark_until(self, end: int) -> None:
        """Mark ticks up to `end`; the account changes at the first of them at most."""
        if end <= self._marked:
            return
        self._settle_first()
        start, self._marked = self._marked, end
        account = self.account
        if end - start == 1 or not account.positions:
            self._mark_flat(start, end, account)
        else:
            self._mark_held(start, end, account)

    def _mark_flat(self, start: int, end: int, account: Account) -> None:
        if not account.positions:
            self.score.mark_flat(account.cash, end - start)
            for n in range(start, end):
                if n % SNAPSHOT_EVERY == 0 or n == len(self.market) - 1:
                    self._snapshot(n, account.cash, 0.0)
            return
        value = mark(account, self.market.last_prices(start))
        self.score.mark(value.equity, exposed=True)
        if start % SNAPSHOT_EVERY == 0 or start == len(self.market) - 1:
            self._snapshot(start, value.equity, value.unrealized)

    def _mark_held(self, start: int, end: int, account: Account) -> None:
        import numpy as np

        block = self.market.marks[start:end]
        equity = np.full(end - start, account.cash)
        unrealized = np.zeros(end - start)
        for symbol, held in account.positions.items():
            column = block[:, 1 + self._order_size[symbol]]
            equity += held.size * column
            unrealized += (column - held.average) * held.size
        self.score.mark_many(equity, exposed=True)
        for n in range(start, end):
            if n % SNAPSHOT_EVERY == 0 or n == len(self.market) - 1:
                self._snapshot(n, float(equity[n - start]), float(unrealized[n - start]))

    def _snapshot(self, n: int, equity: float, unrealized: float) -> None:
        self.score.snapshot(equity)
        account = self.account
        self.ledger.equity.append((n, self.market.time(n), equity, account.realized, unrealized, account.cash))

    def close(self) -> None:
        """Expire what still waits: there is no later tick."""
        for record, _ in self._pending:
            record.status = OrderStatus.EXPIRED
        self._pending = []

    def cancel_pending(self) -> None:
        """Cancel what waits, for a bot that is out."""
        for record, _ in self._pending:
            record.status = OrderStatus.CANCELLED
        self._pending = []

    def mark_rest(self) -> None:
        """Mark to the end of the market without asking the bot any more."""
        self._mark_until(len(self.market))
        self.sent = len(self.market)

    @property
    def waiting(self) -> list[Order]:
        """Return the orders that wait for the next tick."""
        return [order for _, order in self._pending]

    @property
    def equity(self) -> float:
        """Return the equity at the last marked tick."""
        return self.ledger.equity[-1][2] if self.ledger.equity else self.account.cash


def rejected_count(ledger: Ledger) -> int:
    """Return how many orders were rejected, those beyond the record included."""
    listed: Sequence[OrderRecord] = ledger.orders
    return sum(o.status is OrderStatus.REJECTED for o in listed) + ledger.overflow

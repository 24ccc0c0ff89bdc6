"""One bot in the running season: its account, orders, score and worker, and what a tick changes of them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any, Protocol

from arena.core.chain import link
from arena.core.exchange import Rules, day_of
from arena.core.ledger import Account, Position, Valuation
from arena.core.orders import Order, Side, Waiting
from arena.core.scoring import Score
from arena.engine.discipline import StrikeRecord
from arena.store.models import Bot, Entry, OrderRow, Standing, Trade
from sandbox.talk.worker import Worker

FAILING_AFTER = 10
REJECTED_ROWS_A_DAY = 1000


class Life(StrEnum):
    """The state of a bot; stored are active, paused, quarantined, retired and refused_by_upgrade."""

    STARTING = "starting"
    RECOVERING = "recovering"
    ACTIVE = "active"
    RESTARTING = "restarting"
    PAUSED = "paused"
    QUARANTINED = "quarantined"
    RETIRED = "retired"
    REFUSED = "refused_by_upgrade"


RUNNING = frozenset({Life.STARTING, Life.RECOVERING, Life.ACTIVE, Life.RESTARTING})


@dataclass(slots=True)
class OrderTally:
    """Counts all orders of a bot and chains them into a digest, those whose rows were not kept included.

    Rows are kept of the first `REJECTED_ROWS_A_DAY` rejected orders of a UTC day only.
    """

    orders: int = 0
    digest: str = ""
    day: int = -1
    rejected: int = 0

    @property
    def revision(self) -> tuple[int, int, int]:
        """Return a value that changes whenever anything here does."""
        return self.orders, self.day, self.rejected

    def note(self, tick: int, symbol: str, side: str, size: float | None, reason: str | None) -> None:
        """Count one order; `reason` is None where it was accepted."""
        self.orders += 1
        self.digest = link(self.digest, tick, symbol, side, size, reason)

    def may_record_rejection(self, time: float) -> bool:
        """Count one rejected order; say whether its row still fits into the day's allowance."""
        day = day_of(time)
        if day != self.day:
            self.day, self.rejected = day, 0
        self.rejected += 1
        return self.rejected <= REJECTED_ROWS_A_DAY


@dataclass(slots=True)
class LogAllowance:
    """The bytes that a bot's log has taken on one UTC day; lines beyond its daily limit are only counted."""

    day: int = -1
    used: int = 0
    dropped: int = 0

    def admit(self, time: float, size: int, most: int) -> bool:
        """Count a line of `size` bytes; say whether it still fits into `most` bytes a day."""
        day = day_of(time)
        if day != self.day:
            self.day, self.used, self.dropped = day, 0, 0
        if self.used + size > most:
            self.dropped += 1
            return False
        self.used += size
        return True


class RemoteHost(Protocol):
    """The machine that runs a seat's worker, where that is another than this one."""

    name: str

    def forget(self, seat: Seat) -> None:
        """Have the seat's worker there ended; the seat is no longer played there."""


@dataclass(slots=True)
class Pending:
    """An order that waits, with the id of its row and the tick that it settles at."""

    id: int
    order: Order
    due: int


@dataclass(slots=True)
class Seat:
    """One bot in the running season; changed by the engine's thread only.

    What a tick decides changes when the tick has been written (`SeatUpdate.apply`). The fields of the worker
    change at once, since a process that has ended has ended: `record`, `launched` (number and time of the tick
    that it was loaded after), `symbols_told` (version of the symbols it knows) and `told` (the account that it
    is known to have, and the reply that then says that the bot did nothing). `host` is where its worker runs if not
    here, and `alive_there` whether it has one there; `place` is its place in the order of admission. `seed` is the
    bot's own; None where it follows from the season's.
    """

    bot: Bot
    entry: Entry
    account: Account
    score: Score
    life: Life
    pending: list[Pending] = field(default_factory=list)
    equity: float = 0.0
    unrealized: float = 0.0
    program: bytes = b""
    worker: Worker | None = None
    record: StrikeRecord = field(default_factory=StrikeRecord)
    symbols_told: int = -1
    told: tuple[Account, bytes] | None = None
    errors: int = 0
    errors_in_a_row: int = 0
    last_error: str | None = None
    started: bool = False
    tally: OrderTally = field(default_factory=OrderTally)
    recorded: tuple[int, int, int] = (0, -1, 0)
    # Its memory is being brought back, the share of the ticks that this has come to, and whether the journal says so.
    reviving: bool = False
    revived: float = 0.0
    away: bool = False
    good_tick: bool = False
    rejection: str = ""
    log_allowance: LogAllowance = field(default_factory=LogAllowance)
    launched: tuple[int, float] = (-1, 0.0)
    host: RemoteHost | None = None
    alive_there: bool = False
    place: int = 0
    seed: int | None = None
    # Read for every bot at every tick, which a mapped attribute would make slow.
    id: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.id, self.name = self.bot.id, self.entry.bot_name

    @property
    def has_worker(self) -> bool:
        """Say whether a worker stands for it, here or on another host."""
        return self.worker is not None or (self.host is not None and self.alive_there)

    def waiting(self, last: int) -> list[Waiting]:
        """Return its waiting orders as of the last tick."""
        return [Waiting(each.due - last, each.order) for each in self.pending]

    @property
    def status(self) -> str:
        """Return the status that the board shows."""
        if self.life is Life.ACTIVE and self.errors_in_a_row >= FAILING_AFTER:
            return "failing"
        return self.life.value

    @property
    def recovered(self) -> float | None:
        """Return the share of its past that a bot has been shown again, None where it is not recovering."""
        return round(self.revived, 2) if self.life is Life.RECOVERING else None

    @property
    def stored_status(self) -> str:
        """Return the status that is stored; passing states count as active."""
        return Life.ACTIVE.value if self.life in RUNNING else self.life.value


@dataclass(slots=True, init=False)
class SeatUpdate:
    """One seat as the tick being built leaves it; the seat itself changes in `apply`, once the tick is written.

    `waiting` are the orders from before, in the order in which they are due, `pending` those made
    at it. `reason` is set where the bot is quarantined.
    """

    seat: Seat
    life: Life
    account: Account
    valuation: Valuation
    tally: OrderTally
    log_allowance: LogAllowance
    waiting: list[Pending]
    started: bool
    errors: int
    errors_in_a_row: int
    last_error: str | None
    good_tick: bool
    rejection: str
    away: bool
    pending: list[Pending]
    reason: str | None
    _score: Score | None
    _mark: tuple[float, bool] | None

    def __init__(self, seat: Seat) -> None:
        """Make one that changes nothing yet; one by one, because it happens for every bot at every tick."""
        self.seat, self.life, self.account = seat, seat.life, seat.account
        self.valuation = Valuation(seat.equity, seat.unrealized)
        self.tally, self.log_allowance = seat.tally, seat.log_allowance
        self.waiting, self.started, self.errors = seat.pending, seat.started, seat.errors
        self.errors_in_a_row, self.last_error = seat.errors_in_a_row, seat.last_error
        self.good_tick, self.rejection, self.away = seat.good_tick, seat.rejection, seat.away
        self.pending, self.reason = [], None
        self._score, self._mark = None, None

    def take_due(self, n: int) -> list[Pending]:
        """Return the orders that settle at tick `n`; they wait no more."""
        waiting = self.waiting
        if not waiting:
            return waiting
        count = bisect_right(waiting, n, key=attrgetter("due"))
        self.waiting = waiting[count:]
        return waiting[:count]

    @property
    def score(self) -> Score:
        """Return the score to read or change; a copy is made when it is first asked for in a tick."""
        if self._score is None:
            self._score = self.seat.score.copy()
            if self._mark is not None:
                self._score.mark(self._mark[0], exposed=self._mark[1])
        return self._score

    @property
    def scored_ticks(self) -> int:
        """Return how many ticks the score has, without a copy of it."""
        return self.seat.score.ticks + (self._mark is not None) if self._score is None else self._score.ticks

    @property
    def rejected(self) -> int:
        """Return how many orders were rejected, without a copy of the score."""
        return (self._score or self.seat.score).rejected

    def mark(self) -> None:
        """Take this tick's equity into the score; at most ticks that is all, and the copy is spared."""
        marked = self.valuation.equity, bool(self.account.positions)
        if self._score is None and self._mark is None:
            self._mark = marked
        else:
            self.score.mark(marked[0], exposed=marked[1])

    def own_tally(self) -> OrderTally:
        """Return the tally to change; a copy is made at the first change of a tick."""
        if self.tally is self.seat.tally:
            self.tally = replace(self.tally)
        return self.tally

    def own_log_allowance(self) -> LogAllowance:
        """Return the log allowance to change; a copy is made at the first change of a tick."""
        if self.log_allowance is self.seat.log_allowance:
            self.log_allowance = replace(self.log_allowance)
        return self.log_allowance

    def apply(self) -> None:
        """Change the seat; to be called once the tick has been written."""
        seat = self.seat
        # The reason before the state that it explains: others read both at any moment.
        if self.reason is not None:
            seat.entry.status, seat.entry.reason = self.life.value, self.reason
        seat.life, seat.started, seat.away = self.life, self.started, self.away
        seat.account = self.account
        if self._score is not None:
            seat.score = self._score
        elif self._mark is not None:
            seat.score.mark(self._mark[0], exposed=self._mark[1])
        seat.equity, seat.unrealized = self.valuation
        if self.pending or self.waiting is not seat.pending:
            seat.pending = self.waiting + self.pending
        if self.tally is not seat.tally:
            seat.tally, seat.recorded = self.tally, self.tally.revision
        seat.log_allowance = self.log_allowance
        seat.good_tick, seat.rejection = self.good_tick, self.rejection
        seat.errors, seat.errors_in_a_row, seat.last_error = self.errors, self.errors_in_a_row, self.last_error


def new_seat(bot: Bot, entry: Entry, starting_cash: float) -> Seat:
    """Return the seat of a freshly admitted bot."""
    account = Account(starting_cash)
    return Seat(bot, entry, account, Score(starting_cash), Life.STARTING, equity=starting_cash)


def stored_account(account: Account) -> list[Any] | None:
    """Return an account as JSON keeps it, None where a number in it is not finite, which JSON cannot say."""
    cash, positions, realized, fees, day, fills = account
    held = {symbol: list(position) for symbol, position in positions.items()}
    if not all(map(math.isfinite, (cash, realized, fees, *(n for pair in held.values() for n in pair)))):
        return None
    return [cash, held, realized, fees, day, fills]


def account_of(stored: list[Any]) -> Account:
    """Return the account that `stored_account` has stored."""
    cash, held, realized, fees, day, fills = stored
    return Account(cash, {symbol: Position(*pair) for symbol, pair in held.items()}, realized, fees, day, fills)


def stored_seat(account: Account, waiting: Sequence[Waiting]) -> list[Any] | None:
    """Return an account and its waiting orders as JSON keeps them, None where it cannot."""
    stored = stored_account(account)
    orders = [[order.symbol, order.side.value, order.size, left] for left, order in waiting]
    return None if stored is None else [stored, orders]


def seat_of(stored: list[Any]) -> tuple[Account, list[Waiting]]:
    """Return the account and the waiting orders that `stored_seat` has stored."""
    account, orders = stored
    # What an older version stored has no number of ticks: every order waited for the next one.
    waiting = [Waiting(left[0] if left else 1, Order(symbol, Side(side), size)) for symbol, side, size, *left in orders]
    return account_of(account), waiting


def rebuilt_account(rules: Rules, trades: Iterable[Trade], before: Account | None = None) -> Account:
    """Return the account that recorded trades lead to, by the ledger's own arithmetic.

    `before` is the one to begin with, else it is that of the starting cash.
    """
    account = Account(rules.starting_cash) if before is None else before
    for trade in trades:
        account = account.after(trade)
        # The settlement of a symbol's end has no order and does not count against the daily limit of fills.
        if rules.fills_a_day and trade.order_id is not None:
            day = day_of(trade.time)
            account = account._replace(day=day, fills=account.fills + 1 if account.day == day else 1)
    return account


def restored_seat(
    bot: Bot,
    entry: Entry,
    rules: Rules,
    trades: list[Trade],
    pending: Sequence[tuple[OrderRow, int]],
    standing: Standing | None,
) -> Seat:
    """Return a seat as of the last recorded tick; its score is as of the last standings.

    `trades` are those since the standings, or all where these do not hold the account; `pending` are the orders that
    wait, each with the tick that it settles at.
    """
    stored = None if standing is None or standing.account is None else account_of(standing.account)
    account = rebuilt_account(rules, trades, stored)
    score = Score(**standing.score) if standing is not None else Score(rules.starting_cash)
    life = Life(entry.status)
    tally = OrderTally(entry.orders_count, entry.orders_digest, entry.rejections_day, entry.rejections_today)
    waiting = [
        Pending(row.id or 0, Order(row.symbol, Side(row.side), float(row.size or 0.0)), due) for row, due in pending
    ]
    return Seat(
        bot, entry, account, score, life, waiting, equity=rules.starting_cash, tally=tally,
        recorded=tally.revision, errors=entry.errors, good_tick=entry.good_tick,
        errors_in_a_row=entry.errors_in_a_row, last_error=entry.last_error,
    )  # fmt: skip

"""A bot's place at the table: its account, its orders, its score, and its worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from arena.core.chain import link
from arena.core.exchange import Rules, day_of
from arena.core.ledger import Account
from arena.core.orders import Order, Side
from arena.core.scoring import Score
from arena.engine.discipline import StrikeRecord
from arena.store.models import Bot, Entry, OrderRow, Standing, Trade
from sandbox.talk.worker import Worker

FAILING_AFTER = 10
REJECTED_ROWS_A_DAY = 1000


class Life(StrEnum):
    """Where a bot stands; the stored ones are active, paused, quarantined, retired, refused."""

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
class Tally:
    """Every order a worker has told of, counted and chained, whether its row was kept or not.

    Of the orders that are rejected, the rows of only so many a day are kept.
    """

    orders: int = 0
    digest: str = ""
    day: int = -1
    rejected: int = 0

    @property
    def told(self) -> tuple[int, int, int]:
        """Return what changes whenever anything here does."""
        return self.orders, self.day, self.rejected

    def note(self, tick: int, symbol: str, side: str, size: float | None, reason: str | None) -> None:
        """Take one order; `reason` is None where it was accepted."""
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
class Talk:
    """What a bot's log has taken on one UTC day; what it writes beyond its allowance is counted only."""

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


@dataclass(slots=True)
class Pending:
    """An order that waits for the next tick, with the id of its row."""

    id: int
    order: Order


@dataclass(slots=True)
class Seat:
    """One bot in the running season; changed by the engine's thread only.

    `launched` are the number and time of the tick that its worker was loaded after. `told` is the account
    that its worker is known to have, and the reply that then says that the bot did nothing.
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
    tally: Tally = field(default_factory=Tally)
    recorded: tuple[int, int, int] = (0, -1, 0)
    good_tick: bool = False
    rejection: str = ""
    talk: Talk = field(default_factory=Talk)
    launched: tuple[int, float] = (-1, 0.0)
    # Read for every bot at every tick, which a mapped attribute would make slow.
    id: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.id, self.name = self.bot.id, self.entry.bot_name

    @property
    def status(self) -> str:
        """Return what the board says."""
        if self.life is Life.ACTIVE and self.errors_in_a_row >= FAILING_AFTER:
            return "failing"
        return self.life.value

    @property
    def stored_status(self) -> str:
        """Return what the entry says, where passing states count as active."""
        return Life.ACTIVE.value if self.life in RUNNING else self.life.value


def new_seat(bot: Bot, entry: Entry, starting_cash: float) -> Seat:
    """Return the seat of a freshly admitted bot."""
    account = Account(starting_cash)
    return Seat(bot, entry, account, Score(starting_cash), Life.STARTING, equity=starting_cash)


def rebuilt_account(rules: Rules, trades: list[Trade]) -> Account:
    """Return the account that recorded trades lead to, by the ledger's own arithmetic."""
    account = Account(rules.starting_cash)
    for trade in trades:
        if trade.side == Side.BUY:
            account = account.bought(trade.symbol, trade.size, trade.price, trade.fee)
        else:
            account, _ = account.sold(trade.symbol, trade.size, trade.price, trade.fee)
        # What a market's end has settled is nobody's order, and is not counted.
        if rules.fills_a_day and trade.order_id is not None:
            day = day_of(trade.time)
            account = account._replace(day=day, fills=account.fills + 1 if account.day == day else 1)
    return account


def restored_seat(
    bot: Bot,
    entry: Entry,
    rules: Rules,
    trades: list[Trade],
    pending: list[OrderRow],
    standing: Standing | None,
) -> Seat:
    """Return a seat as it was after the last recorded tick, but for the score since its last row."""
    account = rebuilt_account(rules, trades)
    score = Score(**standing.score) if standing is not None else Score(rules.starting_cash)
    life = Life(entry.status)
    tally = Tally(entry.orders_count, entry.orders_digest, entry.rejections_day, entry.rejections_today)
    waiting = [Pending(row.id or 0, Order(row.symbol, Side(row.side), float(row.size or 0.0))) for row in pending]
    return Seat(
        bot, entry, account, score, life, waiting, equity=rules.starting_cash, tally=tally,
        recorded=tally.told, errors=entry.errors, good_tick=entry.good_tick,
        errors_in_a_row=entry.errors_in_a_row, last_error=entry.last_error,
    )  # fmt: skip

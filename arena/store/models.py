"""The tables. `trades` and `equity` keep the guide's columns, in its order.

A bot row is one version of a program; an entry is its part in one season, with its own account.
Times are float Unix seconds; ids of bots, seasons and submissions are UUIDv7 as text.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
    true,
)
from sqlmodel import Field, SQLModel

# SQLite counts rows only in a column declared exactly INTEGER; PostgreSQL wants the wide one.
_BIG = BigInteger().with_variant(Integer, "sqlite")


VIEWS = MetaData()  # what users read by the guide's names; `arena.store.packed` writes the tables behind it


def _id() -> Any:
    return Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))


def _json(default: Any) -> Any:
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


def _text(default: str = "") -> Any:
    return Field(default=default, sa_column=Column(Text, nullable=False))


class Season(SQLModel, table=True):
    """One feed, one rule set, one board.

    `seed_sha256` is shown from the first tick on, `seed` itself is None until the season is closed. `fills_a_day`
    is how many fills a bot may have on a UTC day, 0 for any number. `score_interval` is the seconds of one period of
    returns; an order fills `delay_ticks` ticks after the one it was made at. No tick comes before `starts_at`
    or after `ends_at`, no bot after `entry_deadline`; None is no limit.
    """

    __tablename__ = "seasons"

    id: str = Field(primary_key=True)
    number: int = Field(index=True)
    key: str = Field(index=True)
    status: str = Field(default="open")
    feed: str
    feed_note: str = _text()
    symbols: list[str] = _json(list)
    interval: float
    starting_cash: float
    fee_bps: float
    slippage_bps: float
    rules_version: int
    isolation: str = Field(default="none")
    runtime: dict[str, Any] = _json(dict)
    opened_at: float
    closed_at: float | None = None
    seed_sha256: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    predictable: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    fills_a_day: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    delay_ticks: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default="1"))
    score_interval: float = Field(default=300.0, sa_column=Column(Float, nullable=False, server_default="300"))
    benchmark: str = Field(
        default="equal weight", sa_column=Column(Text, nullable=False, server_default="equal weight")
    )
    starts_at: float | None = None
    ends_at: float | None = None
    entry_deadline: float | None = None
    seed: str | None = Field(default=None, sa_column=Column(Text))


class SeasonSeeds(SQLModel, table=True):
    """What must not be known while a season is open: apart from the season, so that no read of it carries them."""

    __tablename__ = "season_seeds"

    season_id: str = Field(primary_key=True, foreign_key="seasons.id")
    market: str = Field(sa_column=Column(Text, nullable=False))
    chance: str = Field(sa_column=Column(Text, nullable=False))


class Bot(SQLModel, table=True):
    """One version of a bot's program."""

    __tablename__ = "bots"

    id: str = Field(primary_key=True)
    name: str = Field(index=True)
    bot_name: str = Field(index=True)
    author: str
    origin: str
    model: str | None = None
    version: int = 1
    source: str = _text()
    source_hash: str = Field(index=True)
    symbols: list[str] = _json(list)
    path: str | None = None
    submission_id: str | None = None
    created_at: float
    owner_id: str | None = Field(default=None, index=True)
    skeleton: str = Field(default="", sa_column=Column(String, nullable=False, server_default="", index=True))


class Entry(SQLModel, table=True):
    """A bot's part in a season."""

    __tablename__ = "entries"
    __table_args__ = (UniqueConstraint("season_id", "bot_name"),)

    season_id: str = Field(primary_key=True, foreign_key="seasons.id")
    bot_id: str = Field(primary_key=True, foreign_key="bots.id")
    bot_name: str
    status: str
    reason: str = _text()
    admitted_at: float
    admitted_tick: int
    errors: int = 0
    last_error: str | None = Field(default=None, sa_column=Column(Text))
    errors_in_a_row: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    orders_count: int = Field(default=0, sa_column=Column(_BIG, nullable=False, server_default="0"))
    orders_digest: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    rejections_day: int = Field(default=-1, sa_column=Column(Integer, nullable=False, server_default="-1"))
    rejections_today: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    verified_tick: int | None = Field(default=None, sa_column=Column(_BIG))
    verified_words: str | None = Field(default=None, sa_column=Column(Text))
    good_tick: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=true()))
    disqualified: str | None = Field(default=None, sa_column=Column(Text))
    rejected: int | None = Field(default=None, sa_column=Column(_BIG))


class Tick(SQLModel, table=True):
    """The market at one tick; `conditions` say what was barred or ended there, null as a rule.

    A view of `tick_rows`.
    """

    __tablename__ = "ticks"
    metadata: ClassVar[MetaData] = VIEWS

    season_id: str = Field(primary_key=True)
    n: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    time: float
    prices: dict[str, float] = _json(dict)
    conditions: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class TickRow(SQLModel, table=True):
    """A tick as it is stored: `season` is the season's number, `prices` a JSON array in the order of its symbols."""

    __tablename__ = "tick_rows"
    __table_args__ = ({"sqlite_with_rowid": False},)

    time: float
    season: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    n: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    symbols: int
    prices: str = Field(sa_column=Column(Text, nullable=False))
    conditions: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class SymbolSet(SQLModel, table=True):
    """The symbols that were priced at a tick, a JSON array; stored once, since they hardly ever change."""

    __tablename__ = "symbol_sets"

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    symbols: str = Field(sa_column=Column(Text, nullable=False, unique=True))


class BotTick(SQLModel, table=True):
    """What was unusual about one bot at one tick; no row means asked and answered."""

    __tablename__ = "bot_ticks"
    __table_args__ = (
        Index("ix_bot_ticks_season_bot", "season_id", "bot_id", "tick"),
        Index("ix_bot_ticks_season_event", "season_id", "event", "tick"),
    )

    id: int | None = _id()
    season_id: str
    tick: int = Field(sa_column=Column(_BIG, nullable=False))
    bot_id: str
    event: str
    detail: str = _text()


class OrderRow(SQLModel, table=True):
    """One order from request to end."""

    __tablename__ = "orders"
    __table_args__ = (
        Index("ix_orders_season_bot", "season_id", "bot_id", "id"),
        Index("ix_orders_pending", "season_id", "status"),
    )

    id: int | None = _id()
    time: float
    bot_name: str
    symbol: str
    side: str
    size: float | None = None
    status: str
    reason: str | None = Field(default=None, sa_column=Column(Text))
    fill_time: float | None = None
    fill_price: float | None = None
    fill_size: float | None = None
    season_id: str
    bot_id: str
    tick: int = Field(sa_column=Column(_BIG, nullable=False))


class Trade(SQLModel, table=True):
    """One fill; the first nine columns are the guide's."""

    __tablename__ = "trades"
    __table_args__ = (
        Index("ix_trades_season_bot", "season_id", "bot_id", "id"),
        Index("ix_trades_season", "season_id", "id"),
    )

    id: int | None = _id()
    time: float
    bot_name: str
    symbol: str
    side: str
    size: float
    price: float
    cash_after: float
    position_after: float
    fee: float = 0.0
    realized_pnl: float = 0.0
    season_id: str
    bot_id: str
    tick: int = Field(sa_column=Column(_BIG, nullable=False))
    order_id: int | None = Field(default=None, sa_column=Column(_BIG))


class EquityRow(SQLModel, table=True):
    """One equity snapshot; the first six columns are the guide's. A view of `equity_rows`."""

    __tablename__ = "equity"
    metadata: ClassVar[MetaData] = VIEWS

    id: int | None = _id()
    time: float
    bot_name: str
    equity: float
    realized_pnl: float
    unrealized_pnl: float
    cash: float
    season_id: str
    bot_id: str
    tick: int = Field(sa_column=Column(_BIG, nullable=False))


class EntryNumber(SQLModel, table=True):
    """A short number for a bot in a season: what its equity carries in place of two ids and a name."""

    __tablename__ = "entry_numbers"
    __table_args__ = (UniqueConstraint("season_id", "bot_id"),)

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    season_id: str
    bot_id: str
    bot_name: str


class EquityStored(SQLModel, table=True):
    """One equity snapshot as it is stored."""

    __tablename__ = "equity_rows"
    __table_args__ = (Index("ix_equity_rows_entry", "entry", "time"),)

    id: int | None = _id()
    time: float
    equity: float
    realized_pnl: float
    unrealized_pnl: float
    cash: float
    entry: int
    tick: int = Field(sa_column=Column(Integer, nullable=False))


class EquityRollup(SQLModel, table=True):
    """The equity rows of one bot within `seconds` from `start` on: first, highest, lowest and last equity.

    `realized_pnl`, `unrealized_pnl`, `time` and `tick` are the last row's; `rows` is how many there are.
    """

    __tablename__ = "equity_rollups"
    __table_args__ = ({"sqlite_with_rowid": False},)

    start: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    entry: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    seconds: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    open: float
    high: float
    low: float
    close: float
    realized_pnl: float
    unrealized_pnl: float
    time: float
    tick: int
    rows: int


class ArchivePart(SQLModel, table=True):
    """Rows of a season that were moved to a Parquet file: those from `first` to `last`, by id or number of the tick.

    `kind` is ticks or equity; `folder` is where the file lay when it was written, `sha256` is of the file.
    """

    __tablename__ = "archive_parts"
    __table_args__ = (Index("ix_archive_parts_season", "season_id", "kind", "first"),)

    id: int | None = _id()
    season_id: str
    kind: str
    first: int = Field(sa_column=Column(_BIG, nullable=False))
    last: int = Field(sa_column=Column(_BIG, nullable=False))
    last_time: float
    rows: int
    file: str
    folder: str
    bytes: int = Field(sa_column=Column(_BIG, nullable=False))
    sha256: str


class Standing(SQLModel, table=True):
    """One row of the board as of the last equity snapshot.

    `score` is the running state; `account` is all of the account, so that a restart reads no older trade (None in
    rows of before there was one).
    """

    __tablename__ = "standings"

    season_id: str = Field(primary_key=True, foreign_key="seasons.id")
    bot_id: str = Field(primary_key=True, foreign_key="bots.id")
    rank: int
    cash: float
    equity: float
    return_pct: float
    realized_pnl: float
    unrealized_pnl: float
    max_drawdown_pct: float
    sharpe: float | None = None
    win_rate_pct: float | None = None
    turnover: float
    exposure_pct: float
    fees: float
    trades: int
    rejected: int
    errors: int
    tick: int = Field(sa_column=Column(_BIG, nullable=False))
    as_of: float
    positions: dict[str, float] = _json(dict)
    score: dict[str, Any] = _json(dict)
    periods_a_year: float | None = None
    periods: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    excess_pct: float | None = None
    verdict: str = Field(default="not yet", sa_column=Column(Text, nullable=False, server_default="not yet"))
    verdict_next: str = Field(default="not yet", sa_column=Column(Text, nullable=False, server_default="not yet"))
    tie_first: int | None = None
    tie_last: int | None = None
    batches: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    ticks_to_separate: int | None = Field(default=None, sa_column=Column(_BIG))
    note: str | None = Field(default=None, sa_column=Column(Text))
    account: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class ScorePoint(SQLModel, table=True):
    """The equities of all bots at one point of the score clock, from which every statistic of returns follows.

    `equities` are little-endian doubles in the order in which bots have appeared, NaN for one that is out; `joined`
    are the ids of those that appear here for the first time. `prices` are the last known ones.
    """

    __tablename__ = "score_points"

    season_id: str = Field(primary_key=True, foreign_key="seasons.id")
    n: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    tick: int = Field(sa_column=Column(_BIG, nullable=False))
    time: float
    prices: dict[str, float] = _json(dict)
    joined: list[str] = _json(list)
    equities: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class BoardSummary(SQLModel, table=True):
    """What a season's board says beside its rows, as of the last ranking: baselines, ties, the state of the clock.

    `market` holds the last known prices and what has ended, so that a restart looks for no older tick.
    """

    __tablename__ = "board_summaries"

    season_id: str = Field(primary_key=True, foreign_key="seasons.id")
    tick: int = Field(sa_column=Column(_BIG, nullable=False))
    document: dict[str, Any] = _json(dict)
    market: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class Receipt(SQLModel, table=True):
    """What a bot was when it came in, signed; `document` names the hash of the receipt before it."""

    __tablename__ = "receipts"
    __table_args__ = (Index("ix_receipts_season_bot", "season_id", "bot_id"),)

    n: int = Field(sa_column=Column(_BIG, primary_key=True, autoincrement=False))
    season_id: str
    bot_id: str
    document: dict[str, Any] = _json(dict)
    hash: str
    signature: str
    key: str


class Snapshot(SQLModel, table=True):
    """A bot's memory after a tick, or why it could not be saved.

    `data` is made by a worker and opened by none but a worker; `runtime` is the code and the libraries that made it.
    `seat` is the account at this tick and the orders that waited, as the server has them.
    """

    __tablename__ = "snapshots"
    __table_args__ = (Index("ix_snapshots_season_bot", "season_id", "bot_id", "tick"),)

    id: int | None = _id()
    season_id: str
    bot_id: str
    tick: int = Field(sa_column=Column(_BIG, nullable=False))
    saved_at: float
    runtime: str
    source_hash: str
    sha256: str
    size: int
    problem: str = _text()
    data: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    seat: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class Host(SQLModel, table=True):
    """Another machine that may play bots; `token_hash` is the SHA-256 of what it shows.

    `fence` is the number of its newest lease, which ends at `lease_until`: what it says under an older one does not
    count. `state` is one of added, joined, draining, lost, left.
    """

    __tablename__ = "hosts"

    name: str = Field(primary_key=True)
    token_hash: str = Field(unique=True)
    added_at: float
    state: str = Field(default="added")
    reason: str = _text()
    fence: int = Field(default=0, sa_column=Column(_BIG, nullable=False))
    lease_until: float = 0.0
    level: str = ""
    bots: int = 0
    tick_seconds: float = 0.0
    memory: int = Field(default=0, sa_column=Column(_BIG, nullable=False))
    capacity: int = Field(default=0, sa_column=Column(_BIG, nullable=False))


class FarmJob(SQLModel, table=True):
    """Work that any machine may take; `key` is the hash of its kind and inputs.

    `status` is one of queued, running, done, failed. While it runs it is `taken_by` a worker until `lease_until`.
    """

    __tablename__ = "farm_jobs"
    __table_args__ = (Index("ix_farm_jobs_status", "status", "id"),)

    id: str = Field(primary_key=True)
    kind: str
    key: str = Field(unique=True)
    inputs: dict[str, Any] = _json(dict)
    status: str = Field(default="queued")
    taken_by: str = Field(default="")
    lease_until: float = 0.0
    attempts: int = 0
    reason: str | None = Field(default=None, sa_column=Column(Text))
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    created_at: float
    updated_at: float


class LogRow(SQLModel, table=True):
    """One line of a bot's log."""

    __tablename__ = "logs"
    __table_args__ = (Index("ix_logs_season_bot", "season_id", "bot_id", "id"),)

    id: int | None = _id()
    season_id: str
    bot_id: str
    tick: int = Field(sa_column=Column(_BIG, nullable=False))
    time: float
    level: str
    message: str = _text()


class Submission(SQLModel, table=True):
    """A strategy prompt on its way to a bot."""

    __tablename__ = "submissions"

    id: str = Field(primary_key=True)
    group_id: str | None = Field(default=None, index=True)
    idempotency_key: str | None = Field(default=None, unique=True)
    request_hash: str | None = None
    prompt: str = _text()
    name: str | None = None
    author: str
    model: str
    status: str = Field(index=True)
    reason: str | None = Field(default=None, sa_column=Column(Text))
    bot_id: str | None = None
    faults: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    created_at: float
    updated_at: float
    owner_id: str | None = None


class Attempt(SQLModel, table=True):
    """One call of a model for a submission: what was asked, what came, what it cost.

    `kind` is first, continue, repair or fresh; `estimated` says that the server told no tokens and ours are a guess
    from the length; `cost_usd` is unset where the price is not known; `diff` is against the source before.
    """

    __tablename__ = "attempts"

    submission_id: str = Field(primary_key=True, foreign_key="submissions.id")
    n: int = Field(primary_key=True)
    model: str
    prompt_hash: str
    completion: str | None = Field(default=None, sa_column=Column(Text))
    source: str | None = Field(default=None, sa_column=Column(Text))
    violations: list[dict[str, Any]] = _json(list)
    error: str | None = Field(default=None, sa_column=Column(Text))
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0
    kind: str = Field(default="first", sa_column=Column(String, nullable=False, server_default="first"))
    asked_at: float = Field(default=0.0, sa_column=Column(Float, nullable=False, server_default="0", index=True))
    temperature: float | None = None
    cost_usd: float | None = None
    estimated: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    cause: str | None = Field(default=None, sa_column=Column(Text))
    diff: str | None = Field(default=None, sa_column=Column(Text))


class Job(SQLModel, table=True):
    """Long work that was asked for: its inputs, how far it is, and what has come out.

    `key` is the SHA-256 of kind and inputs: the same work is done once. `subject` names what it is about.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_subject", "kind", "subject", "id"),)

    id: str = Field(primary_key=True)
    kind: str
    key: str = Field(index=True)
    subject: str
    inputs: dict[str, Any] = _json(dict)
    status: str = Field(index=True)
    progress: float = 0.0
    reason: str | None = Field(default=None, sa_column=Column(Text))
    result: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    created_at: float
    updated_at: float
    owner_id: str | None = None


class FeedUsage(SQLModel, table=True):
    """How many requests a feed with a daily budget has made on a UTC day."""

    __tablename__ = "feed_usage"

    feed: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    used: int = 0


class BehaviourReport(SQLModel, table=True):
    """What the behaviour suite has found of a bot, or of a submission's newest answer; `subject` is the id of it."""

    __tablename__ = "behaviour_reports"

    subject: str = Field(primary_key=True)
    created_at: float
    document: dict[str, Any] = _json(dict)


class Revision(SQLModel, table=True):
    """A submission that changes a bot: the words it was asked for by, and the bot it starts from."""

    __tablename__ = "revisions"

    submission_id: str = Field(primary_key=True)
    parent_id: str = Field(index=True)
    words: str = _text()
    author: str
    created_at: float


class SampleGroup(SQLModel, table=True):
    """A request for several samples: whether one or all are kept, and what was asked to tell them apart."""

    __tablename__ = "sample_groups"

    group_id: str = Field(primary_key=True)
    keep: str
    chosen: int | None = None
    document: dict[str, Any] = _json(dict)

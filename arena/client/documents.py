"""The documents of the API as types: plain dicts with known members, so that newer servers may say more."""

from __future__ import annotations

from typing import Any, TypedDict


class Violation(TypedDict):
    """One place of a source that breaks a rule."""

    line: int
    column: int
    rule: str
    message: str
    hint: str
    tape: str | None
    tick: int | None


class CheckDocument(TypedDict):
    """What the check says of a source; `report` is what it does on made-up markets."""

    accepted: bool
    violations: list[Violation]
    name: str | None
    symbols: list[str]
    warnings: list[str]
    report: dict[str, Any] | None


class SubmissionDocument(TypedDict):
    """A strategy on its way to a bot; `attempts` are the answers of its writer."""

    id: str
    group_id: str | None
    prompt: str
    name: str | None
    author: str
    model: str
    status: str
    reason: str | None
    bot_id: str | None
    created_at: float
    updated_at: float
    attempts: list[dict[str, Any]]
    trial: dict[str, Any] | None


class JobDocument(TypedDict):
    """Long work; `progress` is from 0 to 1."""

    id: str
    kind: str
    status: str
    progress: float
    inputs: dict[str, Any]
    result: dict[str, Any] | None
    reason: str | None
    created_at: float
    updated_at: float


class BoardRow(TypedDict):
    """A bot on the board; figures are None until its first snapshot."""

    rank: int | None
    bot_id: str
    name: str
    author: str
    origin: str
    model: str | None
    status: str
    equity: float | None
    cash: float | None
    return_pct: float | None
    realized_pnl: float | None
    unrealized_pnl: float | None
    max_drawdown_pct: float | None
    sharpe: float | None
    periods_a_year: float | None
    periods: int | None
    excess_pct: float | None
    verdict: str | None
    verdict_next: str | None
    tie_first: int | None
    tie_last: int | None
    batches: int | None
    ticks_to_separate: int | None
    trades: int
    rejected: int
    win_rate_pct: float | None
    turnover: float | None
    exposure_pct: float | None
    fees: float | None
    errors: int
    last_error: str | None
    note: str | None
    positions: dict[str, float]
    recovered: float | None
    verified: str | None
    verified_tick: int | None
    symbols: list[str]
    admitted_at: float | None
    submission_id: str | None
    disqualified: str | None


class BotDocument(BoardRow):
    """A bot with its program's facts."""

    version: int
    source_hash: str
    path: str | None
    admitted_tick: int
    reason: str
    prompt: str | None
    warnings: list[str]
    cpu_ms: float | None
    snapshot: dict[str, Any] | None


class TradeRow(TypedDict):
    """One fill."""

    id: int
    time: float
    bot_name: str
    bot_id: str
    symbol: str
    side: str
    size: float
    price: float
    cash_after: float
    position_after: float
    fee: float
    realized_pnl: float


class OrderRow(TypedDict):
    """One order; `reason` says why it was rejected."""

    id: int
    time: float
    bot_name: str
    symbol: str
    side: str
    size: float | None
    status: str
    reason: str | None
    fill_time: float | None
    fill_price: float | None
    fill_size: float | None


class LogRow(TypedDict):
    """One line of a bot's log."""

    id: int
    tick: int
    time: float
    level: str
    message: str


class EquityRow(TypedDict):
    """One point of an equity curve; in a roll-up the last of a stretch, with the first, highest and lowest of it."""

    time: float
    equity: float
    realized_pnl: float
    unrealized_pnl: float
    open: float | None
    high: float | None
    low: float | None


class SeasonDocument(TypedDict):
    """One feed, one rule set, one board."""

    id: str
    number: int
    status: str
    feed: str
    feed_note: str
    symbols: list[str]
    interval: float
    starting_cash: float
    fee_bps: float
    slippage_bps: float
    fills_a_day: int
    delay_ticks: int
    rules_version: int
    isolation: str
    opened_at: float
    closed_at: float | None
    seed_sha256: str
    predictable: bool
    seed: str | None
    score_interval: float
    benchmark: str
    starts_at: float | None
    ends_at: float | None
    entry_deadline: float | None
    rules: dict[str, Any]
    runtime: dict[str, Any]

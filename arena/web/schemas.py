"""The shapes of requests and answers; unknown fields of a request are refused.

Long because it is one list: every shape of the API, in the order of its routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from arena.core.season_rules import SeasonRules
from arena.web.behaviour_schemas import BehaviourReportDetail

# How a route that streams describes itself.
EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
ModelName = Annotated[str, Field(min_length=1, max_length=200)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StrategyRequest(_Request):
    """A strategy in plain words."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"prompt": "Buy BTC when it falls 2 % in an hour, sell 1 % higher."}]},
    )

    prompt: str = Field(min_length=1, max_length=20_000, pattern=r"\S", description="The strategy in plain words.")
    name: str | None = Field(None, max_length=80, description="Name of the bot; else the writer's.")
    author: str = Field("local", max_length=80, description="Who hands it in; with accounts it is your own name.")
    model: ModelName | None = Field(None, description="Model to write it; else the configured one.")
    models: list[ModelName] = Field([], max_length=10, description="Several models: one submission each.")
    samples: int = Field(1, ge=1, le=10, description="Bots per model.")
    keep: Literal["one", "all"] = Field(
        "one", description="Of several: one of those that do the same, with a question where they differ; or all."
    )


class BotRequest(_Request):
    """A handwritten bot."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"source": 'NAME = "Still"\nSYMBOLS = ["BTCUSDT"]\n\n\ndef on_tick(ctx, tick):\n    pass\n'}]
        },
    )

    source: str = Field(description="The program, at most 64 KiB as UTF-8.")
    author: str = Field("local", max_length=80, description="Who hands it in; with accounts it is your own name.")


class SessionRequest(_Request):
    """The token that guards writes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"token": "the arena's token"}]})

    token: str = Field(max_length=1000, description="ARENA_TOKEN.")


class ViolationItem(BaseModel):
    """One place that breaks a rule."""

    line: int
    column: int
    rule: str
    message: str
    hint: str
    tape: str | None = Field(None, description="The made-up market that shows it, where one does.")
    tick: int | None = None


class CheckReport(BaseModel):
    """What validation says."""

    accepted: bool
    violations: list[ViolationItem]
    name: str | None = None
    symbols: list[str] = []
    warnings: list[str] = []
    report: BehaviourReportDetail | None = Field(None, description="What it does on made-up markets; no refusal.")


class Problem(BaseModel):
    """An error, RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    violations: list[dict[str, Any]] | None = Field(None, description="Places of a bot's source that break a rule.")
    errors: list[dict[str, Any]] | None = Field(
        None, description="Each finding with its place: pointer into the body, parameter, header, or line of a source."
    )
    resets_at: float | None = Field(None, description="When a budget or quota begins anew, Unix seconds.")
    request_id: str | None = Field(None, description="The X-Request-ID of the answer; the server's log names it.")


class SeasonDetail(BaseModel):
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
    fills_a_day: int = Field(0, description="Fills that a bot may have on a UTC day; 0 for any number.")
    delay_ticks: int = Field(1, description="Ticks from an order to its fill.")
    rules_version: int
    isolation: str
    opened_at: float
    closed_at: float | None = None
    seed_sha256: str = Field("", description="SHA-256 of the market's seed, shown from the first tick on.")
    predictable: bool = Field(False, description="The synthetic market's seed was set, so its prices can be foreseen.")
    seed: str | None = Field(None, description="The market's seed; None until the season is closed.")
    score_interval: float = Field(300.0, description="Seconds of one period of returns.")
    benchmark: str = Field("equal weight", description="What bots are compared with.")
    starts_at: float | None = None
    ends_at: float | None = None
    entry_deadline: float | None = None
    rules: dict[str, Any] = Field({}, description="The rules of the season, all in one.")
    runtime: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_rules(cls, value: Any) -> Any:
        return {**value, "rules": SeasonRules.of(value).document()} if isinstance(value, Mapping) else value


class Baseline(BaseModel):
    """What doing nothing clever makes; not ranked."""

    name: str
    equity: float
    return_pct: float


class RandomBand(BaseModel):
    """Between which equities 5 % and 95 % of random traders stand."""

    traders: int
    low: float
    median: float
    high: float
    low_pct: float
    median_pct: float
    high_pct: float


class BoardSummaryItem(BaseModel):
    """What the ranks of a board mean, as it was last ranked."""

    benchmark: str
    score_interval: float = Field(description="Seconds of one period of returns.")
    periods: int = Field(description="Returns so far.")
    batch_periods: int = Field(description="Returns in one batch.")
    batches: int
    pairs: int = Field(description="Comparisons that share the error of 5 %.")
    separation: str = Field(description="In one sentence: who is told apart from whom.")
    baselines: list[Baseline]
    random_band: RandomBand


class BoardItem(BaseModel):
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
    sharpe: float | None = Field(
        description="Of the returns between score points, annualised by periods_a_year; None under 30 periods."
    )
    periods_a_year: float | None = Field(None, description="Score points a year, as observed; what sharpe counts by.")
    periods: int | None = Field(None, description="Returns on the score clock so far; figures of returns need 30.")
    excess_pct: float | None = Field(
        None, description="Return less that of the benchmark since the bot's first score point, percentage points."
    )
    verdict: str | None = Field(
        None, description="Against the benchmark: ahead, behind, equivalent or not yet; valid at every look."
    )
    verdict_next: str | None = Field(None, description="The same against the next row.")
    tie_first: int | None = Field(None, description="First rank of those that it cannot be told apart from yet.")
    tie_last: int | None = Field(None, description="Last rank of those.")
    batches: int | None = Field(None, description="Batches of returns compared so far; verdicts need 30.")
    ticks_to_separate: int | None = Field(
        None, description="About how many more ticks until it separates from the next row, if the spread stays."
    )
    trades: int
    rejected: int
    win_rate_pct: float | None = Field(description="Sells above the average cost, before fees.")
    turnover: float | None
    exposure_pct: float | None
    fees: float | None
    errors: int
    last_error: str | None
    note: str | None = Field(None, description="What keeps it from playing, or its record from being whole.")
    positions: dict[str, float] = {}
    recovered: float | None = Field(
        None, description="While its status is recovering: the share of its past that it has been shown again."
    )
    verified: str | None = Field(None, description="What running it again has shown: reproduced, or differs.")
    verified_tick: int | None = Field(None, description="Up to which tick.")
    symbols: list[str] = []
    admitted_at: float | None = None
    submission_id: str | None = None
    disqualified: str | None = Field(None, description="Why it is out of the ranking, where it is.")


class ProofReport(BaseModel):
    """What running a bot again on its recorded ticks has shown."""

    bot_id: str
    status: str = Field(description="reproduced, differs, different runtime, or not proved.")
    tick: int
    compared: dict[str, int]
    findings: list[str]


class JobDetail(BaseModel):
    """Long work: `result` is there once its status is `done`, `reason` says why it failed."""

    id: str
    kind: str
    status: str = Field(description="queued, running, done, failed or cancelled.")
    progress: float = Field(description="From 0 to 1.")
    inputs: dict[str, Any]
    result: dict[str, Any] | None
    reason: str | None
    created_at: float
    updated_at: float


class ArenaStatus(BaseModel):
    """What was chosen and how everything is doing."""

    model_config = ConfigDict(extra="allow")

    version: str
    state: str
    season: dict[str, Any]
    tick: dict[str, Any] | None
    notes: list[str]


class NewSeason(BaseModel):
    """When the next season begins and ends; each is ISO 8601 in UTC, Unix seconds, or + and a length like 7d."""

    model_config = ConfigDict(extra="forbid")

    starts: str | None = Field(None, max_length=40, description="First tick; without it the season begins at once.")
    ends: str | None = Field(None, max_length=40, description="Last tick; a length counts from the start.")
    entry_deadline: str | None = Field(None, max_length=40, description="No bot comes in later.")


class SeasonChange(BaseModel):
    """What has become of a season."""

    season: int = Field(description="Its number.")
    status: str


class Contract(BaseModel):
    """What a bot must be, and the rules of the season that is played."""

    text: str = Field(description="The contract, as Markdown.")
    example: str = Field(description="A whole bot.")
    season: int
    feed: str
    symbols: list[str]
    interval: float
    starting_cash: float
    fee_bps: float
    slippage_bps: float
    fills_a_day: int
    delay_ticks: int
    entry_problem: str | None = Field(description="Why no bot can come in any more, None while one can.")


class BoardPage(BaseModel):
    """The ranked bots of the season."""

    season: SeasonDetail
    as_of: float | None
    summary: BoardSummaryItem | None = Field(None, description="What the ranks mean; None before the first snapshot.")
    items: list[BoardItem]
    next_cursor: int | None = None


class SnapshotItem(BaseModel):
    """The newest snapshot of a bot's memory, for a quick restart, or why there is none."""

    tick: int | None = Field(description="The tick after which it was made; None where there is none.")
    size: int | None = Field(description="Its bytes, compressed.")
    problem: str | None = Field(description="What cannot be saved, and where; the bot is then rebuilt by replay.")


class BotDetail(BoardItem):
    """A bot with its program's facts."""

    version: int
    source_hash: str
    path: str | None
    admitted_tick: int
    reason: str
    prompt: str | None
    warnings: list[str] = []
    cpu_ms: float | None = Field(
        None, description="CPU of its process for each tick since it was started, loading included; milliseconds."
    )
    snapshot: SnapshotItem | None = Field(None, description="None before the first was tried.")


class BotList(BaseModel):
    """All bots of the season, the retired included."""

    items: list[BoardItem]


class TradeItem(BaseModel):
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


class TradePage(BaseModel):
    """Fills, newest first."""

    items: list[TradeItem]
    next_cursor: int | None


class OrderItem(BaseModel):
    """One order."""

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


class OrderPage(BaseModel):
    """Orders, newest first."""

    items: list[OrderItem]
    next_cursor: int | None


class LogItem(BaseModel):
    """One line of a bot's log."""

    id: int
    tick: int
    time: float
    level: str
    message: str


class LogPage(BaseModel):
    """Log lines, newest first."""

    items: list[LogItem]
    next_cursor: int | None


class EquityPoint(BaseModel):
    """One equity snapshot; in a roll-up, the last one of a stretch with the first, highest and lowest equity of it."""

    time: float
    equity: float
    realized_pnl: float
    unrealized_pnl: float
    open: float | None = None
    high: float | None = None
    low: float | None = None


class EquitySeries(BaseModel):
    """Equity, oldest first."""

    items: list[EquityPoint]
    points: int = Field(description="How many rows the span has; the items are some or all of them.")
    resolution: int = Field(description="Seconds that an item stands for; 0: items are rows as recorded.")


class Prices(BaseModel):
    """The market at the last tick."""

    time: float
    tick: int
    prices: dict[str, float]


class PriceSeries(BaseModel):
    """Prices of a season, oldest first, by columns: `prices[symbol][i]` is of `times[i]`, None where there was none."""

    ticks: list[int]
    times: list[float]
    prices: dict[str, list[float | None]]


class Curve(BaseModel):
    """One bot's equity by columns, oldest first."""

    bot_id: str
    times: list[float]
    equity: list[float]


class CurveList(BaseModel):
    """Equity of several bots."""

    items: list[Curve]


class Usage(BaseModel):
    """Tokens of one model call."""

    prompt_tokens: int | None
    completion_tokens: int | None


class AttemptItem(BaseModel):
    """One answer of a writer."""

    n: int
    model: str
    completion: str | None
    source: str | None
    violations: list[ViolationItem]
    usage: Usage
    seconds: float
    error: str | None
    prompt_hash: str
    kind: str = Field(
        "first",
        description="first, continue (a cut answer went on), repair, or fresh: asked anew with another temperature.",
    )
    asked_at: float | None = None
    temperature: float | None = Field(None, description="Where it was not the model's usual one.")
    cost_usd: float | None = Field(None, description="Unset where the price is not known.")
    estimated: bool = Field(False, description="The server told no tokens: they are a guess from the length.")
    cause: str | None = Field(None, description="What a repair says of the cause.")
    diff: str | None = Field(None, description="Unified diff against the source of the attempt before.")


class TrialPreview(BaseModel):
    """What the newest trial run looked like: equity and the price of one symbol at the same times."""

    ticks: int
    recorded: bool = Field(description="On the season's own last prices; else on made-up ones.")
    trades: int
    rejected: int
    return_pct: float
    symbol: str
    times: list[float]
    equity: list[float]
    prices: list[float | None]


class SubmissionDetail(BaseModel):
    """A strategy prompt on its way to a bot."""

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
    attempts: list[AttemptItem] = []
    trial: TrialPreview | None = Field(None, description="None before the first trial run.")


class SubmissionGroup(BaseModel):
    """Several submissions made by one request."""

    items: list[SubmissionDetail]
    group_id: str


class SeasonList(BaseModel):
    """All seasons, newest first."""

    items: list[SeasonDetail]

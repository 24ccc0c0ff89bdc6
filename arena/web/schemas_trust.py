"""The shapes of answers about what a rank means."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Figure(BaseModel):
    """One figure with how it is computed; None with `needs` where there is too little to say."""

    name: str
    value: float | None
    unit: str
    formula: str
    source: str
    needs: str | None


class Trials(BaseModel):
    """How often the bot's author has tried, as counted by the arena."""

    k: int
    k_effective: float = Field(
        description="Effective rank of the correlation of the tries' returns; copies count once."
    )
    versions: int
    samples: int
    repairs: int = Field(description="Repairs that reached a trial.")
    evolved: int = Field(0, description="Children of `arena evolve` that were tried beside those handed in.")


class BotStatistics(BaseModel):
    """What can honestly be said of one bot's returns."""

    bot_id: str
    name: str
    season: int
    periods: int
    score_interval: float
    periods_a_year: float | None
    needs: str | None = Field(description="What figures of returns wait for, as in: needs 30 periods, has 12.")
    figures: list[Figure]
    sharpe_a_period: float | None
    sharpe_a_period_interval: list[float] | None = Field(description="95 %, stationary bootstrap.")
    trials: Trials
    verdict: str | None
    verdict_next: str | None
    benchmark: str
    excess_pct: float | None
    batches: int | None
    luck: dict[str, Any] = Field(description="How many random traders with the same trades at other times do as well.")
    words: str


class PublicKey(BaseModel):
    """The server's public key."""

    key: str
    algorithm: str = "Ed25519"


class Receipt(BaseModel):
    """What a bot was when it came in; `signature` is over `document` as JSON with sorted keys and no white space."""

    n: int
    document: dict[str, Any]
    hash: str
    signature: str
    key: str
    problems: list[str] = Field(description="Empty where hash, signature and link hold.")


class Share(BaseModel):
    """A share of the spread, with its interval of 90 %."""

    share: float
    low: float
    high: float


class VarianceShares(BaseModel):
    """Where the spread of returns comes from; `samples` is luck."""

    models: Share
    prompts: Share
    samples: Share


class BoardGroup(BaseModel):
    """Bots that have something in common."""

    name: str
    bots: int
    mean_return_pct: float | None
    spread_return_pct: float | None
    best_return_pct: float | None
    median_return_pct: float | None
    never_traded: int
    submitted: int
    admitted_at_first_answer_pct: float | None
    repairs: int
    tokens_per_admitted_bot: float | None
    usd_per_admitted_bot: float | None = Field(description="None where the price of an answer is not known.")
    trials: int = Field(description="Programs of the group that reached a trial, kept or not.")


class BoardGroups(BaseModel):
    """The board by model, prompt, author or origin."""

    by: str
    items: list[BoardGroup]
    variance: VarianceShares | None = Field(description="None where no prompt and model has several samples.")


class SignedReport(BaseModel):
    """What may be said of a closed season; the signature is over the report's canonical JSON."""

    report: dict[str, Any]
    signature: str = Field(description="Ed25519, base64.")
    key: str = Field(description="Public key, raw, base64.")


class Robustness(BaseModel):
    """What is left of a bot's result when it is played dearer, later, renamed, rescaled, and in windows."""

    bot: str
    ticks: int
    symbols: list[str]
    mode: str = Field(description="How it was played: lockstep, so that its process never held a tick to come.")
    rules: dict[str, Any]
    return_pct: float
    buy_and_hold_pct: float | None
    trades: int
    costs: list[dict[str, Any]] = Field(description="The fee and the slippage at which nothing is gained any more.")
    delays: list[dict[str, Any]] = Field(description="The same orders, filled so many ticks later.")
    variants: list[dict[str, Any]] = Field(description="The tape in other words; `lost` where the result went with it.")
    own_chance: dict[str, Any]
    resampled: dict[str, Any]
    windows: list[dict[str, Any]]
    by_heart: list[str] = Field(description="The variants at which it lost what it had made.")
    record: dict[str, Any] | None = Field(None, description="Its record beside the tape before it came in.")
    words: str


class SignedBoard(BaseModel):
    """A board as it was last ranked; the signature is over the board's canonical JSON."""

    board: dict[str, Any]
    signature: str = Field(description="Ed25519, base64.")
    key: str = Field(description="Public key, raw, base64.")

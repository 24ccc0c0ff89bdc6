"""What the routes about backtests take and return."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from arena.core.exchange import MAX_DELAY_TICKS

Tier = Literal["calm", "trend", "jumps", "crash", "halt", "whipsaw", "thin"]


class Tape(BaseModel):
    """A market file of the server's folder."""

    name: str
    bytes: int
    uploaded: bool


class TapeList(BaseModel):
    """The market files there are."""

    items: list[Tape]


class BacktestRequest(BaseModel):
    """What to play; rules that are not given are those of the season."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"bots": ["Momentum"], "tape": "btc-2026-11.csv", "fee_bps": 5}]},
    )

    bots: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        min_length=1, max_length=8, description="Ids or names of bots of the season."
    )
    tape: str = Field(min_length=1, max_length=300, description="Name of a market file, as GET /tapes lists it.")
    starting_cash: float | None = Field(None, gt=0, le=1e12, allow_inf_nan=False)
    fee_bps: float | None = Field(None, ge=0, le=1000, allow_inf_nan=False)
    slippage_bps: float | None = Field(None, ge=0, le=1000, allow_inf_nan=False)
    delay_ticks: int | None = Field(None, ge=1, le=MAX_DELAY_TICKS, description="Ticks from an order to its fill.")
    interval: float | None = Field(None, gt=0, le=31_536_000, allow_inf_nan=False, description="Seconds a tick.")
    seed: int = Field(0, ge=0, le=2**53, description="Seed of the bots' chance.")


class BacktestAsked(BaseModel):
    """A backtest that was asked for; without a job it is kept already."""

    id: str
    address: str
    job_id: str | None


class BacktestRow(BaseModel):
    """A kept backtest in a list."""

    id: str
    created_at: float
    ticks: int
    tapes: list[str]
    bots: list[str]


class BacktestList(BaseModel):
    """The kept backtests."""

    items: list[BacktestRow]


class BacktestRun(BaseModel):
    """A kept backtest: `report` is what `arena backtest --json` writes, without the equity curves."""

    id: str
    created_at: float
    version: str
    markets: dict[str, str | None] = Field(description="SHA-256 by market file.")
    report: dict[str, Any]


class TournamentRequest(BaseModel):
    """What to play; rules that are not given are those of the season."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"bots": ["Momentum", "Mean Reversion"], "rounds": 14}]}
    )

    bots: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        min_length=2, max_length=8, description="Ids or names of bots of the season."
    )
    tapes: list[Annotated[str, Field(min_length=1, max_length=300)]] = Field(
        default=[], max_length=4, description="Market files, as GET /tapes lists them; a round is a part of one."
    )
    tiers: list[Tier] = Field(
        default=[*get_args(Tier)], max_length=7, description="Made-up windows; none: market files alone."
    )
    rounds: int = Field(14, ge=1, le=200)
    ticks: int = Field(300, ge=60, le=5000, description="Ticks of a round.")
    starting_cash: float | None = Field(None, gt=0, le=1e12, allow_inf_nan=False)
    fee_bps: float | None = Field(None, ge=0, le=1000, allow_inf_nan=False)
    slippage_bps: float | None = Field(None, ge=0, le=1000, allow_inf_nan=False)
    delay_ticks: int | None = Field(None, ge=1, le=MAX_DELAY_TICKS, description="Ticks from an order to its fill.")
    interval: float | None = Field(None, gt=0, le=31_536_000, allow_inf_nan=False, description="Seconds a tick.")
    seed: int = Field(0, ge=0, le=2**53, description="Draws the parts, the windows and the bots' chance.")


class TournamentAsked(BaseModel):
    """A tournament that was asked for; without a job it is kept already."""

    id: str
    address: str
    job_id: str | None


class TournamentRow(BaseModel):
    """A kept tournament in a list; the bots best first."""

    id: str
    created_at: float
    rounds: int
    bots: list[str]
    words: str


class TournamentList(BaseModel):
    """The kept tournaments."""

    items: list[TournamentRow]


class TournamentRun(BaseModel):
    """A kept tournament: `report` is what `arena tournament --json` writes."""

    id: str
    created_at: float
    version: str
    markets: dict[str, str | None] = Field(description="SHA-256 by market file.")
    programs: dict[str, str] = Field(description="SHA-256 of each program by bot.")
    conduct: dict[str, Any] = Field(description="Rounds, ticks, tiers and rules.")
    report: dict[str, Any]

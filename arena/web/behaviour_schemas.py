"""What the routes about behaviour take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FindingItem(BaseModel):
    """Whether one expectation is met, and what shows it; a hard one sends a generated bot back to its writer."""

    check: str
    expected: str
    outcome: Literal["met", "not met", "cannot tell"]
    hard: bool
    message: str
    hint: str
    tape: str | None
    tick: int | None
    line: int | None
    values: dict[str, Any]


class BehaviourReportDetail(BaseModel):
    """What a bot does on made-up markets, beside what it claims and what was said of it."""

    claims: dict[str, Any]
    said: dict[str, Any] = Field(description="What could be read from the words of the request.")
    findings: list[FindingItem]
    tapes: list[str]
    cpu_seconds: float
    notes: list[str]


class ConditionItem(BaseModel):
    """A condition that a tick came by; `held` is null where it cannot be told."""

    line: int
    function: str
    text: str
    held: bool | None
    parts: list[dict[str, Any]]


class Explanation(BaseModel):
    """Why a bot ordered at a tick, or why it did not."""

    bot_id: str
    tick: int
    time: float
    sentence: str
    line: int | None
    code: str | None
    order: dict[str, Any] | None
    conditions: list[ConditionItem]
    locals: dict[str, Any]
    globals: dict[str, Any]
    changed: dict[str, Any]
    logs: list[str]
    path: list[int] = Field(description="The lines in the order they ran.")
    left_out: int = Field(description="Steps that were too many to keep.")
    prices: list[dict[str, Any]]
    trade: dict[str, Any] | None
    without: dict[str, Any] | None


class RevisionRequest(BaseModel):
    """What is to change in a bot."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"words": "Sell when the price falls 3 % below the entry."}]}
    )

    words: str = Field(min_length=1, max_length=20_000, pattern=r"\S", description="What is to change, in plain words.")
    author: str = Field("local", max_length=80, description="Who asks; with accounts it is your own name.")
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None, description="Model to write it; else the configured one."
    )


class AnswerRequest(BaseModel):
    """Which of the ways that samples differ in is meant."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"choice": 1}]})

    choice: int = Field(ge=1, le=100, description="The number of the choice.")


class ChoiceItem(BaseModel):
    """One way of several, and the bots that go it; the first of them plays."""

    choice: int
    words: str
    bots: list[str]


class SampleQuestion(BaseModel):
    """The question that tells samples apart; null where all do the same. `chosen` is its answer.

    Unanswered at `answer_by`, it is decided for the largest group, and `decided` says so.
    """

    question: str | None
    choices: list[ChoiceItem]
    chosen: int | None
    answer_by: float | None = None
    decided: str | None = None


class LineageItem(BaseModel):
    """One version of a bot: who asked for it, by which words, and its diff to the one it came from."""

    bot_id: str
    name: str
    author: str
    model: str | None
    created_at: float
    parent_id: str | None
    asked_by: str | None
    words: str | None
    diff: str | None


class Lineage(BaseModel):
    """A bot's versions, the first one first; every one of them counts as a trial."""

    items: list[LineageItem]

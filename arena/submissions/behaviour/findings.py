"""One expectation of a bot's behaviour, and whether it is met: with the tape, tick, line and values that show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from arena.core.text import clean_line


class Outcome(StrEnum):
    """Whether an expectation is met."""

    MET = "met"
    NOT_MET = "not met"
    CANNOT_TELL = "cannot tell"


class Check(StrEnum):
    """What is expected of a bot."""

    RUNS = "runs"
    TRADES = "trades"
    BOTH_SIDES = "both-sides"
    INDICATOR = "indicator"
    ON_TIME = "on-time"
    ORDER_SIZE = "order-size"
    POSITION = "position"
    STOP = "stop"
    TAKE_PROFIT = "take-profit"
    COOLDOWN = "cooldown"
    SYMBOLS = "symbols"
    ACCEPTED = "accepted"
    SPEED = "speed"
    CALM = "calm"
    SCALE = "scale"
    WORDS = "words"


EXPECTED: dict[Check, str] = {
    Check.RUNS: "It raises no exception.",
    Check.TRADES: "It trades where its triggers are met.",
    Check.BOTH_SIDES: "It reaches every side it means to trade.",
    Check.INDICATOR: "Its indicators follow the price, with the look-backs that were said.",
    Check.ON_TIME: "It acts at the tick that triggers it, not one later.",
    Check.ORDER_SIZE: "No order is larger than was said.",
    Check.POSITION: "No position is larger than was said.",
    Check.STOP: "It sells where the price falls to the stop that was said.",
    Check.TAKE_PROFIT: "It sells where the price rises to the take profit that was said.",
    Check.COOLDOWN: "It waits as long between orders as was said.",
    Check.SYMBOLS: "It trades the symbols that were said and no others.",
    Check.ACCEPTED: "Its orders are accepted.",
    Check.SPEED: "It answers within its CPU time.",
    Check.CALM: "It does not order at every tick.",
    Check.SCALE: "What it does depends on changes of the price, not on how large the price is.",
    Check.WORDS: "What it claims agrees with the words of the request.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one expectation is met; `hard` says that a generated bot should be written again for it."""

    check: Check
    outcome: Outcome
    message: str
    hint: str = ""
    hard: bool = False
    tape: str | None = None
    tick: int | None = None
    line: int | None = None
    values: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as the API shows it."""
        return {
            "check": self.check.value, "expected": EXPECTED[self.check], "outcome": self.outcome.value,
            "hard": self.hard, "message": clean_line(self.message, 600), "hint": clean_line(self.hint, 300),
            "tape": self.tape, "tick": self.tick, "line": self.line, "values": self.values,
        }  # fmt: skip

    def as_violation(self) -> dict[str, Any]:
        """Return the finding in the form of a violation, with the tape and the tick that show it."""
        return {
            "line": self.line or 1, "column": 1, "rule": f"behaviour-{self.check.value}",
            "message": clean_line(self.message, 600), "hint": clean_line(self.hint, 300),
            "tape": self.tape, "tick": self.tick,
        }  # fmt: skip

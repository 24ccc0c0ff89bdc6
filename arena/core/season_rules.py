"""The rules of a season as one object: money, fills, the score clock, the benchmark, and its dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class SeasonRules:
    """What all bots of a season play by; times are Unix seconds, None is no limit.

    `delay_ticks` is from an order to its fill. No tick comes before `starts_at` or after `ends_at`, no bot after
    `entry_deadline`.
    """

    starting_cash: float
    fee_bps: float
    slippage_bps: float
    fills_a_day: int
    interval: float
    score_interval: float
    benchmark: str
    starts_at: float | None
    ends_at: float | None
    entry_deadline: float | None
    rules_version: int
    delay_ticks: int = 1

    @classmethod
    def of(cls, season: Mapping[str, Any]) -> SeasonRules:
        """Return the rules of a season's row."""
        return cls(**{each.name: season[each.name] for each in fields(cls)})

    def document(self) -> dict[str, Any]:
        """Return the rules by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

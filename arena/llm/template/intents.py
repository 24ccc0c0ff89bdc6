"""The plans that a description may ask for, as plain values that the parser makes and the sources use.

Every number here has passed its range check and every symbol is one of the market's, so nothing
of the person's own text travels any further than this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SizeKind = Literal["units", "money", "cash"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much one purchase takes: units of the symbol, money, or a share of the cash (0 to 1)."""

    kind: SizeKind
    value: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Buy once and keep; the weights are shares of the starting cash."""

    weights: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Rebalance:
    """Keep weights of the equity, every `interval` ticks or when one has drifted by `drift`."""

    weights: tuple[tuple[str, float], ...]
    interval: int
    drift: float | None = None


@dataclass(frozen=True, slots=True)
class Dca:
    """Buy the same amount every `interval` ticks."""

    interval: int


@dataclass(frozen=True, slots=True)
class Grid:
    """`levels` lots, `step` apart as a fraction, or evenly spaced between `low` and `high`."""

    levels: int
    step: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Hold whichever of two symbols is cheap by the z-score of first divided by second."""

    first: str
    second: str
    period: int
    entry: float


Intent = Hold | Rebalance | Dca | Grid | Pairs


@dataclass(frozen=True, slots=True)
class Request:
    """A plan understood in full; its orders fill `delay` ticks later."""

    intent: Intent
    symbol: str
    size: Size
    notes: tuple[str, ...]
    delay: int = 1

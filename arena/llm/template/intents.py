"""What a description asks for, as plain values that the parser makes and the sources use.

Every number here has passed its range check and every symbol is one of the market's, so nothing
of the person's own text travels any further than this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SizeKind = Literal["units", "money", "cash"]
Average = Literal["ema", "sma"]
Band = Literal["lower", "middle", "upper"]
Unit = Literal["std", "percent"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much one purchase takes: units of the symbol, money, or a share of the cash (0 to 1)."""

    kind: SizeKind
    value: float


@dataclass(frozen=True, slots=True)
class Exits:
    """Protective exits as fractions (0.02 is two percent); None where not asked for."""

    stop: float | None = None
    profit: float | None = None
    trail: float | None = None

    def __bool__(self) -> bool:
        return (self.stop, self.profit, self.trail) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Cross:
    """The price against one moving average; `contrary` buys below it and sells above."""

    average: Average
    period: int
    contrary: bool = False


@dataclass(frozen=True, slots=True)
class PairCross:
    """A fast moving average against a slow one; `contrary` buys when the fast one falls below."""

    average: Average
    fast: int
    slow: int
    contrary: bool = False


@dataclass(frozen=True, slots=True)
class Rsi:
    """Wilder's RSI: levels (buy low, sell high), or `crossing` (buy on the way up past a level)."""

    period: int
    buy: float
    sell: float
    crossing: bool = False


@dataclass(frozen=True, slots=True)
class Macd:
    """The MACD line against its signal line."""

    fast: int
    slow: int
    signal: int


@dataclass(frozen=True, slots=True)
class Bollinger:
    """Bands `width` standard deviations around a mean, and the band that means buy and sell."""

    period: int
    width: float
    buy: Band = "lower"
    sell: Band = "upper"


@dataclass(frozen=True, slots=True)
class Breakout:
    """Buy above the high of the last `entry` ticks, sell below the low of the last `leave`."""

    entry: int
    leave: int


@dataclass(frozen=True, slots=True)
class Reversion:
    """Buy `entry` below the mean, sell `leave` above it, in standard deviations or fractions."""

    period: int
    unit: Unit
    entry: float
    leave: float


@dataclass(frozen=True, slots=True)
class Momentum:
    """Buy when the price rose by `buy` over `period` ticks, sell when it fell by `sell`.

    With `contrary` it is the dip buyer: buy after a fall of `buy`, sell after a rise of `sell`.
    """

    period: int
    buy: float
    sell: float
    contrary: bool = False


@dataclass(frozen=True, slots=True)
class Levels:
    """Two fixed prices; `contrary` buys above the first and sells below the second.

    `inclusive` counts the very price too, where the author said "at" it.
    """

    buy: float
    sell: float | None
    contrary: bool = False
    inclusive: bool = False


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


Intent = (
    Cross
    | PairCross
    | Rsi
    | Macd
    | Bollinger
    | Breakout
    | Reversion
    | Momentum
    | Levels
    | Hold
    | Rebalance
    | Dca
    | Grid
    | Pairs
)


@dataclass(frozen=True, slots=True)
class Request:
    """A description understood in full; `sells` is false where only the exits close a position."""

    intent: Intent
    symbol: str
    size: Size
    exits: Exits
    sells: bool
    notes: tuple[str, ...]

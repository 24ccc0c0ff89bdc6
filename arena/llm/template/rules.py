"""What a trading rule says, as plain values: operands, comparisons, and when to buy and to sell.

Every number here has passed its range check and every symbol is one of the market's, so nothing of the
person's own text travels any further than this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from arena.llm.template.intents import Size

Relation = Literal[
    "above", "below", "at_or_above", "at_or_below", "crosses_above", "crosses_below", "rises_to", "falls_to"
]

MIRRORED: dict[Relation, Relation] = {
    "above": "below",
    "below": "above",
    "at_or_above": "at_or_below",
    "at_or_below": "at_or_above",
    "crosses_above": "crosses_below",
    "crosses_below": "crosses_above",
    "rises_to": "falls_to",
    "falls_to": "rises_to",
}
UPWARD = frozenset({"above", "at_or_above", "crosses_above", "rises_to"})
EVENTS = frozenset({"crosses_above", "crosses_below", "rises_to", "falls_to"})
_WORDS: dict[Relation, str] = {
    "above": "is above",
    "below": "is below",
    "at_or_above": "is at or above",
    "at_or_below": "is at or below",
    "crosses_above": "crosses above",
    "crosses_below": "crosses below",
    "rises_to": "comes up to",
    "falls_to": "comes down to",
}


@dataclass(frozen=True, slots=True)
class Price:
    """The price itself, or a bar's close where bars are used."""

    def words(self) -> str:
        """Return the operand in words."""
        return "the price"


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """A fixed number."""

    value: float

    def words(self) -> str:
        """Return the operand in words."""
        return f"{self.value:.10g}"


@dataclass(frozen=True, slots=True)
class Average:
    """A moving average of the price; `offset` is a fraction above it, below it where negative."""

    kind: Literal["ema", "sma"]
    period: int
    offset: float = 0.0

    def words(self) -> str:
        """Return the operand in words."""
        name = f"the {self.period}-@ {self.kind.upper()}"
        side = "above" if self.offset > 0 else "below"
        return f"{abs(self.offset) * 100:.6g}% {side} {name}" if self.offset else name


@dataclass(frozen=True, slots=True)
class Rsi:
    """Wilder's RSI, 0 to 100."""

    period: int

    def words(self) -> str:
        """Return the operand in words."""
        return f"the {self.period}-@ RSI"


@dataclass(frozen=True, slots=True)
class Macd:
    """The MACD line, or with `signal_line` the average of it."""

    fast: int
    slow: int
    signal: int
    signal_line: bool = False

    def words(self) -> str:
        """Return the operand in words."""
        return "its signal line" if self.signal_line else f"the MACD line ({self.fast}, {self.slow}, {self.signal})"


@dataclass(frozen=True, slots=True)
class Band:
    """A Bollinger band: `width` standard deviations from the mean, 0 for the middle one."""

    period: int
    width: float

    def words(self) -> str:
        """Return the operand in words."""
        which = "upper" if self.width > 0 else "lower" if self.width < 0 else "middle"
        return f"the {which} Bollinger band ({self.period} @s, {abs(self.width):g} deviations)"


@dataclass(frozen=True, slots=True)
class Extreme:
    """The highest or lowest price of the `period` before this one."""

    high: bool
    period: int

    def words(self) -> str:
        """Return the operand in words."""
        return f"the {'high' if self.high else 'low'} of the {self.period} @s before"


@dataclass(frozen=True, slots=True)
class Change:
    """The change over `period`, as a fraction."""

    period: int

    def words(self) -> str:
        """Return the operand in words."""
        return f"the change over {self.period} @s"


@dataclass(frozen=True, slots=True)
class ZScore:
    """How many standard deviations the price, or the ratio of two symbols, is from its mean."""

    period: int
    first: str = ""
    second: str = ""

    def words(self) -> str:
        """Return the operand in words."""
        of = f"the {self.first}/{self.second} ratio" if self.first else "the price"
        return f"the {self.period}-@ z-score of {of}"


Operand = Price | PriceLevel | Average | Rsi | Macd | Band | Extreme | Change | ZScore


@dataclass(frozen=True, slots=True)
class Compare:
    """Two operands and how they stand to each other."""

    left: Operand
    relation: Relation
    right: Operand

    def words(self) -> str:
        """Return the condition in words."""
        right = self.right.words()
        if isinstance(self.left, Change) and isinstance(self.right, PriceLevel):
            right = f"{self.right.value * 100 + 0.0:.6g}%"
        return f"{self.left.words()} {_WORDS[self.relation]} {right}"


@dataclass(frozen=True, slots=True)
class Turn:
    """An operand is rising or falling; with `event` it begins to."""

    operand: Operand
    up: bool
    event: bool

    def words(self) -> str:
        """Return the condition in words."""
        way = "up" if self.up else "down"
        return f"{self.operand.words()} {f'turns {way}' if self.event else ('is rising' if self.up else 'is falling')}"


@dataclass(frozen=True, slots=True)
class AtTime:
    """The time of day, in minutes of UTC, is reached."""

    minute: int

    def words(self) -> str:
        """Return the condition in words."""
        return f"the clock reaches {_clock(self.minute)} UTC"


@dataclass(frozen=True, slots=True)
class InHours:
    """The time of day lies between two, in minutes of UTC; over midnight where the second is smaller."""

    start: int
    end: int

    def words(self) -> str:
        """Return the condition in words."""
        return f"it is between {_clock(self.start)} and {_clock(self.end)} UTC"


@dataclass(frozen=True, slots=True)
class OnDays:
    """The day of the week, Monday 0, in UTC, is one of these."""

    days: tuple[int, ...]

    def words(self) -> str:
        """Return the condition in words."""
        names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
        return f"it is {' or '.join(names[day] for day in self.days)} (UTC)"


@dataclass(frozen=True, slots=True)
class Entered:
    """The price is a fraction above (`gain`), below (`loss`) its entry, or below its best since (`trail`)."""

    kind: Literal["gain", "loss", "trail"]
    share: float

    def words(self) -> str:
        """Return the condition in words."""
        percent = f"{self.share * 100:.6g}%"
        return {
            "gain": f"the price is {percent} above the entry",
            "loss": f"the price is {percent} below the entry",
            "trail": f"the price is {percent} below its best since the entry",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class AtStart:
    """Nothing has been bought yet."""

    def words(self) -> str:
        """Return the condition in words."""
        return "it starts"


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions, all of which or any of which must hold."""

    parts: tuple[Condition, ...]
    every: bool

    def words(self) -> str:
        """Return the condition in words."""
        return (" and " if self.every else " or ").join(part.words() for part in self.parts)


Condition = Compare | Turn | AtTime | InHours | OnDays | Entered | AtStart | Joined


@dataclass(frozen=True, slots=True)
class Sale:
    """When to sell, and which share of the position."""

    when: Condition
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class StrategyRules:
    """A strategy understood in full; `bar` is the length of its bars in seconds, None for ticks."""

    symbols: tuple[str, ...]
    buy: Condition
    sales: tuple[Sale, ...]
    size: Size
    bar: float | None = None
    notes: tuple[str, ...] = field(default=())


def terms(condition: Condition) -> list[Condition]:
    """Return the single conditions that a condition is made of."""
    if isinstance(condition, Joined):
        return [term for part in condition.parts for term in terms(part)]
    return [condition]


def operands(condition: Condition) -> list[Operand]:
    """Return everything that a condition looks at, in order."""
    found: list[Operand] = []
    for term in terms(condition):
        if isinstance(term, Compare):
            found += [term.left, term.right]
        elif isinstance(term, Turn):
            found.append(term.operand)
    return found


def mirrored(condition: Condition) -> Condition | None:
    """Return the natural opposite of a condition, None where it has none."""
    if isinstance(condition, Joined):
        return mirrored(condition.parts[0])
    if isinstance(condition, Turn):
        return Turn(condition.operand, not condition.up, condition.event)
    if not isinstance(condition, Compare):
        return None
    left, relation, right = condition.left, condition.relation, condition.right
    if isinstance(right, PriceLevel):
        if isinstance(left, Rsi) and right.value != 50:
            right = PriceLevel(100 - right.value)
        elif isinstance(left, Price):
            return None
        elif isinstance(left, ZScore):
            return Compare(left, "at_or_above" if right.value < 0 else "at_or_below", PriceLevel(0.0))
        elif isinstance(left, Change):
            right = PriceLevel(-right.value)
    elif isinstance(right, Band):
        # Above the upper band a trend is followed, and it ends at the middle.
        right = Band(right.period, 0.0 if relation in UPWARD and right.width > 0 else -right.width)
    elif isinstance(right, Extreme):
        right = Extreme(not right.high, right.period)
    elif isinstance(right, Average) and right.offset:
        return Compare(left, MIRRORED[relation], Average(right.kind, right.period))
    return Compare(left, MIRRORED[relation], right)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"

"""What a bot may ask for, and what becomes of it.

A request is checked in this order: count, side, size, symbol when it is
made; price, position, cash when it is settled at a later tick. What a bot does wrong is a value
(`Rejection`), never an exception.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MAX_ORDERS_PER_TICK = 100
MAX_SYMBOL_LENGTH = 64
_SHOWN = 60


class Side(StrEnum):
    """The two directions of a market order."""

    BUY = "BUY"
    SELL = "SELL"


_SIDES = {side.value: side for side in Side}


class OrderStatus(StrEnum):
    """Where an order stands; `PENDING` ones wait for the tick they settle at."""

    PENDING = "pending"
    FILLED = "filled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Order(NamedTuple):
    """A well-formed market order."""

    symbol: str
    side: Side
    size: float


class Waiting(NamedTuple):
    """An order that waits, and how many ticks after the last one it settles: at least 1."""

    left: int
    order: Order


class Fill(NamedTuple):
    """One executed order: `size` is what was really traded, `realized` the profit it locked in."""

    symbol: str
    side: Side
    size: float
    price: float
    fee: float
    realized: float
    cash_after: float
    position_after: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """An order that was refused, as it was asked for, with the sentence the bot's author reads."""

    symbol: str
    side: str
    size: float | None
    reason: str


_HEAP_TYPE = 1 << 9


def type_name(kind: type) -> str:
    """Return a class's own name past any property its metaclass may put there."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return name


def _shown(value: object) -> str:
    """Return a short text for any value without running the bot's own `__repr__`."""
    kind = type(value)
    if kind is str:
        text = repr(str(value)[:_SHOWN])
    elif kind is int:
        number = int(value)  # type: ignore[call-overload]
        text = str(number) if number.bit_length() < 128 else "an integer of enormous size"
    elif kind is float or kind is bool or value is None:
        text = repr(value)
    else:
        text = f"a value of type {type_name(kind)}"
    return text[: _SHOWN + 2]


def real_number(value: object) -> float | None:
    """Return `value` as a finite positive float, or None if it is not such a number.

    Accepted types are exactly int, float and numpy's integer and floating scalars; bool and
    subclasses are not numbers here, because their operators could be anybody's code.
    """
    kind = type(value)
    if kind is not float:
        if kind is not int and not _is_numpy_scalar(kind):
            return None
        try:
            value = float(value)  # type: ignore[arg-type]
        except OverflowError:
            return None
    number: float = value  # type: ignore[assignment]
    return number if math.isfinite(number) and number > 0.0 else None


def _is_numpy_scalar(kind: type) -> bool:
    # By name, so that the pure core does not need numpy. numpy's scalars are static C types; a class
    # that Python code made carries the heap flag, whatever it calls itself.
    if kind.__flags__ & _HEAP_TYPE or type_name(kind) not in _NUMPY_NUMBERS:
        return False
    return bool(type.__dict__["__module__"].__get__(kind) == "numpy")


_NUMPY_NUMBERS = frozenset(
    {"float16", "float32", "float64", "longdouble", "longlong", "ulonglong", "intc", "uintc"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
)


def check_order(symbol: object, side: object, size: object, already: int) -> Order | Rejection:
    """Check one request of a tick that has made `already` requests before it; never raises."""
    # The usual case in few tests, for speed; whatever fails one of them is looked at closely.
    if type(size) is float and type(side) is str and type(symbol) is str and already < MAX_ORDERS_PER_TICK:
        known = _SIDES.get(side)
        if known is not None and 0.0 < size < math.inf and len(symbol) <= MAX_SYMBOL_LENGTH:
            return Order(symbol, known, size)
    return _look_closely(symbol, side, size, already)


def _look_closely(symbol: object, side: object, size: object, already: int) -> Order | Rejection:
    number = real_number(size)
    shown_size = "nan" if _is_nan(size) else _shown(size)
    shown_symbol = symbol[:MAX_SYMBOL_LENGTH] if type(symbol) is str else _shown(symbol)
    shown_side = str(side) if type(side) is str and len(side) <= _SHOWN else _shown(side)

    def refuse(reason: str) -> Rejection:
        return Rejection(shown_symbol, shown_side, _recordable(size), reason)

    if already >= MAX_ORDERS_PER_TICK:
        return refuse(f"Too many orders in one tick (at most {MAX_ORDERS_PER_TICK})")
    if type(side) is not str or side not in {"BUY", "SELL"}:
        return refuse(f"Unknown order side: {_shown(side)} (use 'BUY' or 'SELL')")
    if number is None:
        return refuse(f"Invalid order size: {shown_size}")
    if type(symbol) is not str:
        return refuse(f"Invalid symbol: {_shown(symbol)}")
    if len(symbol) > MAX_SYMBOL_LENGTH:
        return refuse(f"No price available for {shown_symbol}")
    return Order(symbol, Side(side), number)


def _is_nan(size: object) -> bool:
    """Say whether a size is not a number, in numpy's types too; no other type is asked."""
    kind = type(size)
    return (kind is float or _is_numpy_scalar(kind)) and math.isnan(size)  # type: ignore[arg-type]


def _recordable(size: object) -> float | None:
    """Return the size for the record where it is a plain finite number, else None."""
    if type(size) is float and math.isfinite(size):
        return size
    if type(size) is int and size.bit_length() < 1000:
        return float(size)
    return None

"""What the head and a host say to each other: one message a tick there, one back.

Nothing but tuples, so that any encoding that knows lists, maps, strings, bytes and doubles can carry them. Seats are
named by their place among the host's seats, in the order of admission.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, FailFast, Field

from arena.core.exchange import RuleParts
from arena.core.ledger import Account, Position
from arena.core.orders import Order, Side
from arena.engine.seat import Pending


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a text with a NUL character")
    return text


# What a host says goes into the database, which would refuse larger numbers and such texts: the clock would stand.
Text = Annotated[str, AfterValidator(_storable)]
Count = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Large = Annotated[int, Field(ge=-(2**62), lt=2**62)]

# Cash, positions as size and average, realised profit, fees, day, fills.
AccountParts = tuple[float, dict[Text, tuple[float, float]], float, float, Count, Count]
# Number, symbol, side, size, the tick it settles at. A host's own numbers are below zero, those of the record above.
OrderParts = tuple[Large, Text, Text, float, Count]


class SeasonStart(NamedTuple):
    """What a host is told once of the season it plays in."""

    season_id: str
    isolation: str
    rules: RuleParts
    log_bytes: int
    n: int
    time: float
    prices: dict[str, float]
    last_prices: dict[str, float]
    symbols: tuple[str, ...]
    version: int
    ended: dict[str, float | None]


class Admission(NamedTuple):
    """A seat that a host is to play from now on; with a `snapshot` its worker is restored from it."""

    bot_id: str
    bot_name: str
    entry_name: str
    source_hash: str
    place: int
    seed: int
    program: bytes
    snapshot: bytes | None
    life: str
    account: AccountParts
    waiting: list[OrderParts]
    equity: float
    unrealized: float
    started: bool
    errors: int
    errors_in_a_row: int
    last_error: str | None
    good_tick: bool
    rejection: str
    rejected: int
    tally: tuple[int, str, int, int]
    log_allowance: tuple[int, int, int]
    strikes: list[int]
    restarts: int
    restart_at: int
    launched: tuple[int, float]


class HostTick(NamedTuple):
    """One tick for a host: who comes, goes and is paused before it, and whose memory is wanted after it.

    `deadline` is how many seconds the bots have, None where only their CPU time counts. The memory of `save` stays
    there, that of `give` leaves the host.
    """

    n: int
    time: float
    prices: dict[str, float]
    barred: dict[str, str]
    ended: dict[str, float | None]
    deadline: float | None
    admit: list[Admission]
    remove: list[str]
    lives: list[tuple[str, str]]
    save: list[str]
    give: list[str]


class SeatChange(NamedTuple):
    """A seat of which more has changed than its value; None is as before."""

    seat: Count
    life: Text
    started: bool
    away: bool
    alive: bool
    errors: Count
    errors_in_a_row: Count
    last_error: Text | None
    good_tick: bool
    rejection: Text
    rejected: Count
    account: AccountParts | None
    pending: list[OrderParts]
    tally: tuple[Large, Text, Count, Count]
    log_allowance: tuple[Count, Large, Large]
    reason: Text | None
    strikes: list[Large]
    restarts: Count
    restart_at: Count
    launched: tuple[Count, float]


class OrderMade(NamedTuple):
    """An order of this tick; `size` is None where it was no number."""

    phase: Count
    seat: Count
    number: Large
    time: float
    symbol: Text
    side: Text
    size: float | None
    status: Text
    reason: Text | None


class OrderEnd(NamedTuple):
    """How an order of a tick before has ended."""

    number: Large
    status: Text
    price: float | None
    size: float | None
    reason: Text | None


class TradeMade(NamedTuple):
    """A fill; `number` is its order's, None for the settlement of a symbol's end."""

    phase: Count
    seat: Count
    number: Large | None
    symbol: Text
    side: Text
    size: float
    price: float
    cash_after: float
    position_after: float
    fee: float
    realized: float


class Memory(NamedTuple):
    """The memory of a bot after this tick, or why there is none."""

    bot_id: Text
    data: bytes | None
    problem: Text


class HostResult(NamedTuple):
    """What a tick has done on a host; `values` are equity and unrealised profit of each seat, as doubles.

    Lists are read up to their first fault: a host that lies makes no work beyond that.
    """

    n: Count
    values: bytes
    changes: Annotated[list[SeatChange], FailFast()]
    orders: Annotated[list[OrderMade], FailFast()]
    order_ends: Annotated[list[OrderEnd], FailFast()]
    dropped: Annotated[list[Large], FailFast()]
    trades: Annotated[list[TradeMade], FailFast()]
    events: Annotated[list[tuple[int, int, Text, Text]], FailFast()]  # phase, seat, event, detail
    logs: Annotated[list[tuple[int, int, Text, Text]], FailFast()]  # phase, seat, level, line
    taints: Annotated[list[tuple[int, int, Text]], FailFast()]  # phase, seat, reason
    barred: Annotated[list[Text], FailFast()]  # symbols that orders met which could not be traded
    memories: Annotated[list[Memory], FailFast()]
    seconds: float
    memory: Large  # bytes that the workers take


def account_parts(account: Account) -> AccountParts:
    """Return what an account is made of."""
    cash, positions, realized, fees, day, fills = account
    return cash, {symbol: (held.size, held.average) for symbol, held in positions.items()}, realized, fees, day, fills


def account_from(parts: AccountParts) -> Account:
    """Return the account that is made of these parts."""
    cash, held, realized, fees, day, fills = parts
    return Account(cash, {symbol: Position(*both) for symbol, both in held.items()}, realized, fees, day, fills)


def order_parts(waiting: Sequence[Pending]) -> list[OrderParts]:
    """Return what waiting orders are made of."""
    return [(each.id, each.order.symbol, each.order.side.value, each.order.size, each.due) for each in waiting]


def orders_from(parts: Sequence[OrderParts], known: Mapping[int, int]) -> list[Pending]:
    """Return waiting orders, by their numbers in the record where these are known."""
    return [
        Pending(known.get(number, number), Order(symbol, Side(side), size), due)
        for number, symbol, side, size, due in parts
    ]

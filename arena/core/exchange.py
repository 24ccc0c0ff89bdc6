"""Settling: orders are filled or rejected at the prices of a later tick, the next one unless the rules say otherwise.

Money moves in `settle`, and in `redeem` where a symbol has ended. Both are pure. The server calls them, and its result
counts; a worker calls them beside the bot, to keep the mirror of the account that a run-ahead backtest needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from arena.core.ledger import Account, Valuation, mark
from arena.core.orders import Fill, Order, Rejection, Side

RULES_VERSION = 1
# A member is looked up through the enumeration's class each time, which shows in a replay.
_BUY, _SELL = Side.BUY, Side.SELL


# What `Rules` are made of: cash, fee, slippage, fills a day, delay in ticks.
RuleParts = tuple[float, float, float, int, int]
MAX_DELAY_TICKS = 100


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a season: starting cash, fee and slippage in basis points (1e-4), fills a day (0: any number).

    An order fills `delay_ticks` ticks after the one it was made at.
    """

    starting_cash: float = 10_000.0
    fee_bps: float = 0.0
    slippage_bps: float = 0.0
    fills_a_day: int = 0
    delay_ticks: int = 1
    # What a market order's price is worse by: computed once, since every fill needs it.
    _dearer: float = field(init=False, repr=False, compare=False)
    _cheaper: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        slip = self.slippage_bps / 1e4
        object.__setattr__(self, "_dearer", 1.0 + slip)
        object.__setattr__(self, "_cheaper", 1.0 - slip)

    @property
    def parts(self) -> RuleParts:
        """Return what `Rules` are made of, to be sent along."""
        return self.starting_cash, self.fee_bps, self.slippage_bps, self.fills_a_day, self.delay_ticks

    @classmethod
    def of(cls, season: Mapping[str, Any]) -> Rules:
        """Return the rules of a season's row."""
        return cls(
            season["starting_cash"], season["fee_bps"], season["slippage_bps"], season["fills_a_day"],
            season["delay_ticks"],
        )  # fmt: skip

    def fill_price(self, side: Side, price: float) -> float:
        """Return the price a market order gets: worse than `price` by the slippage."""
        return price * (self._dearer if side is _BUY else self._cheaper)

    def fee(self, price: float, size: float) -> float:
        """Return the fee in quote currency for trading `size` at the fill price."""
        return price * size * self.fee_bps / 1e4


@dataclass(frozen=True, slots=True)
class Conditions:
    """What there is to know about a tick's market beside its prices; part of the tick's record.

    `barred` are the symbols that cannot be traded at this tick, each with the reason an order on it
    is rejected with. `ended` are those that have come to their end: holdings are settled at the
    price, or at their own average cost where that is None.
    """

    barred: Mapping[str, str] = field(default_factory=dict)
    ended: Mapping[str, float | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.barred or self.ended)


USUAL = Conditions()


class Settlement(NamedTuple):
    """The account after a batch of orders, and one outcome per order in the order submitted."""

    account: Account
    outcomes: tuple[Fill | Rejection, ...]


def settle(
    bot_name: str,
    account: Account,
    orders: Sequence[Order],
    prices: Mapping[str, float],
    rules: Rules,
    barred: Mapping[str, str] = USUAL.barred,
    time: float = 0.0,
) -> Settlement:
    """Fill or reject each order at the `prices` of `time`, in the order submitted; never raises."""
    outcomes: list[Fill | Rejection] = []
    most = rules.fills_a_day
    day, used = _used_today(account, time) if most else (-1, 0)
    for order in orders:
        price = prices.get(order.symbol)
        if most and used >= most:
            outcome: Fill | Rejection = _refused(order, daily_limit(most))
        elif order.symbol in barred:
            outcome = _refused(order, barred[order.symbol])
        elif price is None:
            outcome = _refused(order, f"No price available for {order.symbol}")
        elif order.side is _SELL:
            account, outcome = _sell(bot_name, account, order, price, rules)
        else:
            account, outcome = _buy(bot_name, account, order, price, rules)
        if most and type(outcome) is Fill:
            used += 1
            account = account._replace(day=day, fills=used)
        outcomes.append(outcome)
    return Settlement(account, tuple(outcomes))


def day_of(time: float) -> int:
    """Return the UTC day of a time, in days since 1970."""
    return int(time // 86400.0)


def _used_today(account: Account, time: float) -> tuple[int, int]:
    day = day_of(time)
    return day, account.fills if account.day == day else 0


def daily_limit(fills: int) -> str:
    """Return the reason of a rejection beyond so many fills a day."""
    return f"Daily limit of {fills:,} fills reached"


def redeem(account: Account, ended: Mapping[str, float | None]) -> tuple[Account, tuple[Fill, ...]]:
    """Settle what is held of symbols that have ended, in sorted order and without a fee."""
    fills = []
    for symbol in sorted(ended.keys() & account.positions.keys()):
        held = account.positions[symbol]
        price = ended[symbol]
        price = held.average if price is None else price
        account, gain = account.sold(symbol, held.size, price, 0.0)
        fills.append(Fill(symbol, _SELL, held.size, price, 0.0, gain, account.cash, 0.0))
    return account, tuple(fills)


def _refused(order: Order, reason: str) -> Rejection:
    return Rejection(order.symbol, order.side.value, order.size, reason)


def _buy(bot_name: str, account: Account, order: Order, price: float, rules: Rules) -> tuple[Account, Fill | Rejection]:
    symbol, side, size = order
    fill_price = rules.fill_price(side, price)
    fee = rules.fee(fill_price, size)
    cost = fill_price * size + fee
    if not account.cash >= cost:
        reason = f"Bot '{bot_name}' has insufficient cash: ${account.cash:.2f} < ${cost:.2f}"
        return account, _refused(order, reason)
    after = account.bought(symbol, size, fill_price, fee)
    held, average = after.positions[symbol]
    if not math.isfinite(average):
        return account, _refused(order, f"Invalid order size: {size!r}")
    return after, Fill(symbol, side, size, fill_price, fee, 0.0, after.cash, held)


def _sell(
    bot_name: str, account: Account, order: Order, price: float, rules: Rules
) -> tuple[Account, Fill | Rejection]:
    symbol, side, size = order
    held = account.size_of(symbol)
    if held <= 0.0:
        return account, _refused(order, f"Bot '{bot_name}' has no position in {symbol} to sell")
    size = min(size, held)
    fill_price = rules.fill_price(side, price)
    fee = rules.fee(fill_price, size)
    after, gain = account.sold(symbol, size, fill_price, fee)
    if not math.isfinite(after.cash):
        return account, _refused(order, f"Invalid order size: {order.size!r}")
    return after, Fill(symbol, side, size, fill_price, fee, gain, after.cash, after.size_of(symbol))


@dataclass(frozen=True, slots=True)
class Holding:
    """A bot as the exchange sees it: a name, an account, and the orders that settle now."""

    bot_name: str
    account: Account
    due: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Stepped:
    """One bot after a tick: settled and marked."""

    account: Account
    redeemed: tuple[Fill, ...]
    outcomes: tuple[Fill | Rejection, ...]
    valuation: Valuation


def step(
    holdings: Iterable[Holding],
    prices: Mapping[str, float],
    last_prices: Mapping[str, float],
    rules: Rules,
    conditions: Conditions = USUAL,
    time: float = 0.0,
) -> list[Stepped]:
    """Redeem, settle and mark every bot at one tick; each result depends on that bot alone.

    `prices` are those of this tick at `time`, `last_prices` the last known of every symbol ever seen
    (so a holding whose symbol has lost its price is still valued).
    """
    stepped = []
    for holding in holdings:
        account, redeemed = redeem(holding.account, conditions.ended) if conditions.ended else (holding.account, ())
        outcomes: tuple[Fill | Rejection, ...] = ()
        if holding.due:
            account, outcomes = settle(holding.bot_name, account, holding.due, prices, rules, conditions.barred, time)
        stepped.append(Stepped(account, redeemed, outcomes, mark(account, last_prices)))
    return stepped

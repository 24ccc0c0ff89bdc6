"""One bot's account at average cost.

Rules kept here: an account is never changed, only replaced; a position of exactly zero does not
exist; sums run cash first, then symbols in sorted order, so that scalar and vectorised code give
the same bits. Fees are a column of their own: neither in the average nor in the realised profit.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol


class Position(NamedTuple):
    """A holding: `size` units bought at `average` quote units each."""

    size: float
    average: float


class Booking(Protocol):
    """A fill that was made, as an account books it: a recorded trade, for one."""

    @property
    def symbol(self) -> str:
        """The traded symbol."""

    @property
    def side(self) -> str:
        """BUY or SELL."""

    @property
    def size(self) -> float:
        """Traded units."""

    @property
    def price(self) -> float:
        """Price of one unit, slippage included."""

    @property
    def fee(self) -> float:
        """Fee in quote currency."""


# An account is made anew at every fill, which a named tuple makes three times as fast as a frozen dataclass.
class Account(NamedTuple):
    """Cash, positions by symbol in sorted order, and what trading has realised and cost so far.

    Where a season limits them, `fills` are those of the UTC day `day` (days since 1970), the last that had any.
    """

    cash: float
    positions: Mapping[str, Position] = MappingProxyType({})
    realized: float = 0.0
    fees: float = 0.0
    day: int = -1
    fills: int = 0

    def size_of(self, symbol: str) -> float:
        """Return the held size, 0.0 if there is none."""
        position = self.positions.get(symbol)
        return 0.0 if position is None else position.size

    def sizes(self) -> dict[str, float]:
        """Return a fresh dict of symbol to held size."""
        return {symbol: held.size for symbol, held in self.positions.items()}

    def after(self, trade: Booking) -> Account:
        """Return the account after a recorded trade."""
        if trade.side == "BUY":
            return self.bought(trade.symbol, trade.size, trade.price, trade.fee)
        return self.sold(trade.symbol, trade.size, trade.price, trade.fee)[0]

    def bought(self, symbol: str, size: float, price: float, fee: float) -> Account:
        """Return the account after buying `size` at `price`; the caller has checked the cash."""
        cash, before, realized, fees, day, fills = self
        held = before.get(symbol)
        if held is None:
            positions = {**before, symbol: Position(size, price)}
            if before:
                positions = {name: positions[name] for name in sorted(positions)}
        else:
            total = held.size + size
            positions = {**before, symbol: Position(total, (held.average * held.size + price * size) / total)}
        return Account(cash - (price * size + fee), positions, realized, fees + fee, day, fills)

    def sold(self, symbol: str, size: float, price: float, fee: float) -> tuple[Account, float]:
        """Return the account after selling `size` (at most what is held) and the realised gain."""
        cash, before, realized, fees, day, fills = self
        positions = dict(before)
        held, average = positions[symbol]
        gain = (price - average) * size
        left = held - size
        if left > 0.0:
            positions[symbol] = Position(left, average)
        else:
            del positions[symbol]
        return Account(cash + (price * size - fee), positions, realized + gain, fees + fee, day, fills), gain


class Valuation(NamedTuple):
    """An account at given prices."""

    equity: float
    unrealized: float


def mark(account: Account, last_prices: Mapping[str, float]) -> Valuation:
    """Value the account at the last known prices; every held symbol has one."""
    return Valuation(*worth(account.cash, account.positions, last_prices))


def worth(cash: float, positions: Mapping[str, Position], last_prices: Mapping[str, float]) -> tuple[float, float]:
    """Return equity and unrealised profit at the last known prices, as `mark` does."""
    equity, unrealized = cash, 0.0
    for symbol, (size, average) in positions.items():
        price = last_prices[symbol]
        equity += size * price
        unrealized += (price - average) * size
    return equity, unrealized

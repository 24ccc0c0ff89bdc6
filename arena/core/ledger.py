"""One bot's account at average cost.

Rules kept here: an account is never changed, only replaced; a position of exactly zero does not
exist; sums run cash first, then symbols in sorted order, so that scalar and vectorised code give
the same bits. Fees are a column of their own: neither in the average nor in the realised profit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Position(NamedTuple):
    """A holding: `size` units bought at `average` quote units each."""

    size: float
    average: float


@dataclass(frozen=True, slots=True)
class Account:
    """Cash, positions by symbol in sorted order, and what trading has realised and cost so far."""

    cash: float
    positions: Mapping[str, Position] = field(default_factory=dict)
    realized: float = 0.0
    fees: float = 0.0

    def size_of(self, symbol: str) -> float:
        """Return the held size, 0.0 if there is none."""
        position = self.positions.get(symbol)
        return 0.0 if position is None else position.size

    def sizes(self) -> dict[str, float]:
        """Return a fresh dict of symbol to held size."""
        return {symbol: held.size for symbol, held in self.positions.items()}

    def bought(self, symbol: str, size: float, price: float, fee: float) -> Account:
        """Return the account after buying `size` at `price`; the caller has checked the cash."""
        held = self.positions.get(symbol)
        if held is None:
            position = Position(size, price)
        else:
            total = held.size + size
            position = Position(total, (held.average * held.size + price * size) / total)
        positions = dict(self.positions)
        positions[symbol] = position
        if held is None and len(positions) > 1:
            positions = {name: positions[name] for name in sorted(positions)}
        return Account(self.cash - (price * size + fee), positions, self.realized, self.fees + fee)

    def sold(self, symbol: str, size: float, price: float, fee: float) -> tuple[Account, float]:
        """Return the account after selling `size` (at most what is held) and the realised gain."""
        held = self.positions[symbol]
        gain = (price - held.average) * size
        positions = dict(self.positions)
        left = held.size - size
        if left > 0.0:
            positions[symbol] = Position(left, held.average)
        else:
            del positions[symbol]
        cash = self.cash + (price * size - fee)
        return Account(cash, positions, self.realized + gain, self.fees + fee), gain


@dataclass(frozen=True, slots=True)
class Valuation:
    """An account at given prices."""

    equity: float
    unrealized: float


def mark(account: Account, last_prices: Mapping[str, float]) -> Valuation:
    """Value the account at the last known prices; every held symbol has one."""
    return Valuation(*worth(account, last_prices))


def worth(account: Account, last_prices: Mapping[str, float]) -> tuple[float, float]:
    """Return equity and unrealised profit at the last known prices, as `mark` does."""
    equity = account.cash
    unrealized = 0.0
    for symbol, held in account.positions.items():
        price = last_prices[symbol]
        equity += held.size * price
        unrealized += (price - held.average) * held.size
    return equity, unrealized

"""What every board shows beside its bots: cash, buy and hold, equal weight, and the band of random traders.

All follow from the prices at the score points and the season's rules, so that a restart finds them again. They are
marked as baselines and never ranked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from arena.core.exchange import Rules

Floats = npt.NDArray[np.float64]

CASH, EQUAL_WEIGHT = "cash", "equal weight"
RANDOM_TRADERS = 200
BAND = (5.0, 95.0)
# The chance that a random trader draws a new holding at a score point: it holds for 20 of them on average.
_TURN = 0.05


def benchmark_problem(name: str, symbols: tuple[str, ...]) -> str | None:
    """Return why a benchmark cannot be one on this market, None where it can."""
    if name in {CASH, EQUAL_WEIGHT, *symbols}:
        return None
    choices = ", ".join([EQUAL_WEIGHT, CASH, *symbols])
    return f"BENCHMARK: '{name}' is no benchmark of this market; use one of: {choices}."


@dataclass(slots=True)
class Baselines:
    """The baselines of one season; equities start at the season's starting cash.

    Buy and hold buys for all its cash at the first price of its symbol, fee and slippage paid. Equal weight splits the
    cash evenly among the symbols once and holds; the part of a symbol without a price yet stays cash. A random trader
    goes, at one score point in twenty, all in for a symbol drawn at random or into cash, and pays for it.
    """

    symbols: tuple[str, ...]
    rules: Rules
    seed: int
    held: dict[str, float] = field(default_factory=dict)
    points: int = 0
    _cash: Floats = field(init=False)
    _sizes: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.symbols = tuple(sorted(self.symbols))
        self._cash = np.full(RANDOM_TRADERS, self.rules.starting_cash)
        self._sizes = np.zeros((RANDOM_TRADERS, len(self.symbols)))

    def point(self, prices: Mapping[str, float]) -> None:
        """Take the last known prices at one score point: new symbols are bought, random traders turn."""
        self.admit(prices)
        self._turn(self._row(prices))
        self.points += 1

    def admit(self, prices: Mapping[str, float]) -> None:
        """Buy and hold every symbol that has its first price."""
        for symbol in self.symbols:
            price = prices.get(symbol)
            # What has ended at nothing cannot be bought.
            if price is not None and price > 0.0 and symbol not in self.held:
                self.held[symbol] = self._bought(price)

    def _bought(self, price: float) -> float:
        """Return the size that all the starting cash buys at `price`, fee and slippage paid."""
        paid = price * (1.0 + self.rules.slippage_bps / 1e4) * (1.0 + self.rules.fee_bps / 1e4)
        return self.rules.starting_cash / paid

    def _row(self, prices: Mapping[str, float]) -> Floats:
        return np.array([prices.get(symbol, np.nan) for symbol in self.symbols])

    def _turn(self, row: Floats) -> None:
        # A generator of its own for each point: the draws do not depend on where a restart came in.
        chance = np.random.Generator(np.random.Philox(key=self.seed, counter=self.points))
        draws = chance.random(RANDOM_TRADERS)
        wanted = chance.integers(0, len(self.symbols) + 1, RANDOM_TRADERS)
        # A symbol without a price, or one that has ended at nothing, cannot be bought; cash always can be held.
        known = np.append(np.nan_to_num(row) > 0.0, True)
        turning = np.flatnonzero((draws < _TURN) & known[wanted])
        slip, fee = self.rules.slippage_bps / 1e4, self.rules.fee_bps / 1e4
        usable = np.where(np.isfinite(row), row, 0.0)
        now = np.where(self._sizes[turning].any(axis=1), self._sizes[turning].argmax(axis=1), len(self.symbols))
        moving = turning[now != wanted[turning]]
        self._cash[moving] += self._sizes[moving] @ usable * (1.0 - slip) * (1.0 - fee)
        self._sizes[moving] = 0.0
        buying = moving[wanted[moving] < len(self.symbols)]
        symbol = wanted[buying]
        self._sizes[buying, symbol] = self._cash[buying] / (usable[symbol] * (1.0 + slip) * (1.0 + fee))
        self._cash[buying] = 0.0

    def equities(self, prices: Mapping[str, float]) -> dict[str, float]:
        """Return the equity of each baseline at the last known prices, by name; a symbol's is its buy and hold."""
        start = self.rules.starting_cash
        holding = {
            symbol: self.held[symbol] * prices[symbol] if symbol in self.held else start for symbol in self.symbols
        }
        even = sum(holding.values()) / len(holding) if holding else start
        return {CASH: start, EQUAL_WEIGHT: even, **holding}

    def band(self, prices: Mapping[str, float]) -> tuple[float, float, float]:
        """Return the 5th, 50th and 95th percentile of the random traders' equities."""
        row = self._row(prices)
        equities = self._cash + self._sizes @ np.where(np.isfinite(row), row, 0.0)
        low, middle, high = np.percentile(equities, [BAND[0], 50.0, BAND[1]])
        return float(low), float(middle), float(high)

"""How much of what perfect foresight of a market makes a result is, so that one beyond belief is looked at again.

In run-ahead the prices to come lie in the worker's memory, so a bot that finds a hole in the language could read
them. Its result would then be out of all proportion to what can be made without knowing the future.
"""

from __future__ import annotations

import math

from arena.core.exchange import Rules
from arena.engine.backtest.market import RecordedMarket

# A bot that is in or out of the market at every tick, and right about the next move with probability p, makes
# 2p - 1 of what perfect foresight makes. A quarter is to be right in 62.5 % of all ticks, after costs.
MOST_CREDIBLE = 0.25
_ROUNDING = 1e-9  # what sums of logarithms may be off by


class Foresight:
    """What perfect foresight of one market would have made, after costs; worked out when first asked for."""

    def __init__(self, market: RecordedMarket, rules: Rules) -> None:
        self._market = market
        self._start = rules.starting_cash
        fee, slip = rules.fee_bps / 1e4, rules.slippage_bps / 1e4
        # One unit of money becomes so much when it goes in, and when it comes out.
        self._into = -math.log1p(slip) - math.log1p(fee)
        self._out = math.log1p(-min(slip, 0.999999)) + math.log1p(-min(fee, 0.999999))
        self._best: tuple[float, float] | None = None

    def share(self, equity: float) -> float:
        """Return the share of foresight's gain over the best symbol, held throughout, that an equity stands for.

        Gains count by the logarithm of growth, so that compounding does not matter; 0 where there is none.
        """
        if equity <= self._start:
            return 0.0
        if self._best is None:
            self._best = self._work_out()
        held, foreseen = self._best
        gain, most = math.log(equity / self._start) - held, foreseen - held
        if gain <= _ROUNDING:
            return 0.0
        return gain / most if most > _ROUNDING else 1.0

    def _work_out(self) -> tuple[float, float]:
        """Return the logarithms of growth of the best symbol held throughout, and of perfect foresight."""
        import numpy as np

        # The first fill is at the second tick.
        prices = self._market.marks[1:, 1:]
        if len(prices) < 2 or not prices.shape[1]:
            return 0.0, 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            moves = np.diff(np.log(prices), axis=0)
        moves = np.where(np.isfinite(moves), moves, 0.0)
        held = max(0.0, float(moves.sum(axis=0).max()) + self._into)
        if not self._into and not self._out:
            return held, float(np.maximum(moves.max(axis=1), 0.0).sum())
        return held, self._switching(moves.tolist())

    def _switching(self, moves: list[list[float]]) -> float:
        """Return the most that being in cash or in one symbol at each tick can make, costs paid at each change."""
        into, out = self._into, self._out
        cash = 0.0
        within = [-math.inf] * len(moves[0])
        for row in moves:
            best = max(cash, max(within) + out)
            within = [max(was, best + into) + move for was, move in zip(within, row, strict=True)]
            cash = best
        return max(cash, max(within) + out)

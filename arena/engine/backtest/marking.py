"""Marks one account over many ticks at once; the same bits as tick by tick."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from arena.core.ledger import Account
from arena.core.scoring import RANKED_EVERY, Score
from arena.engine.backtest.market import RecordedMarket
from arena.engine.backtest.record import EquityCurve

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


class EquityMarker:
    """Values an account at every tick of a market into a score and an equity curve."""

    def __init__(self, market: RecordedMarket, score: Score, curve: EquityCurve, points: array[float]) -> None:
        """Make a marker; `points` takes the equity at each score point."""
        self.until = 0
        self._market = market
        self._score = score
        self._curve = curve
        self._points = points
        self._held: list[tuple[int, Account]] = []
        self._columns = {symbol: i for i, symbol in enumerate(market.symbols, 1)}

    def changes(self, n: int, before: Account) -> None:
        """Note that an account was held until tick n, when another took its place."""
        self._held.append((n, before))

    def mark(self, end: int, account: Account) -> None:
        """Mark the ticks before `end`; `account` is the one held at the last of them."""
        import numpy as np

        start = self.until
        if end <= start:
            return
        accounts = [*(each for _, each in self._held), account]
        bounds = np.array([start, *(n for n, _ in self._held), end])
        self.until, self._held = end, []
        lengths = np.diff(bounds)
        equity, unrealized = self._values(start, end, accounts, lengths)
        self._score.mark_many(equity, exposed=False)
        exposed = (int(length) for length, each in zip(lengths, accounts, strict=True) if each.positions)
        self._score.exposed_ticks += sum(exposed)
        ticks = self._snapshot_ticks(start, end)
        owner = np.searchsorted(bounds[:-1], ticks, side="right") - 1
        realized = np.array([each.realized for each in accounts])[owner]
        cash = np.array([each.cash for each in accounts])[owner]
        self._snapshot(ticks, equity[ticks - start], realized, unrealized[ticks - start], cash)
        for place in self._market.score_ticks[slice(*np.searchsorted(self._market.score_ticks, (start, end)))].tolist():
            self._score.point(float(equity[place - start]), self._market.time(place))
            self._points.append(float(equity[place - start]))

    def _values(
        self, start: int, end: int, accounts: list[Account], lengths: npt.NDArray[np.int64]
    ) -> tuple[Floats, Floats]:
        import numpy as np

        equity = np.repeat([each.cash for each in accounts], lengths)
        unrealized = np.zeros(end - start)
        for symbol in sorted({symbol for each in accounts for symbol in each.positions}):
            column = self._market.marks[start:end, self._columns[symbol]]
            held = [each.positions.get(symbol) for each in accounts]
            size = np.repeat([0.0 if each is None else each.size for each in held], lengths)
            average = np.repeat([0.0 if each is None else each.average for each in held], lengths)
            equity += np.where(size > 0.0, size * column, 0.0)
            unrealized += np.where(size > 0.0, (column - average) * size, 0.0)
        return equity, unrealized

    def _snapshot_ticks(self, start: int, end: int) -> npt.NDArray[np.int64]:
        import numpy as np

        ticks = np.arange(-(-start // RANKED_EVERY) * RANKED_EVERY, end, RANKED_EVERY)
        if end == len(self._market) and (end - 1) % RANKED_EVERY:
            ticks = np.append(ticks, end - 1)
        return ticks

    def _snapshot(self, ticks: npt.NDArray[np.int64], equity: Floats, *rest: Floats) -> None:
        import numpy as np

        rows = np.column_stack([ticks, self._market.rows[ticks, 0], equity, *rest])
        self._curve.extend(rows.astype(np.float64, copy=False).tobytes())

"""What the farm's machines can do: proofs, backtests and trial runs, robustness."""

from __future__ import annotations

from arena.hosts.backtests import BACKTEST, BacktestWork
from arena.hosts.farm import VERIFY, Work, prove
from arena.web.robustness import ROBUST, robust_work


def works() -> dict[str, Work]:
    """Return every kind of work with what does it."""
    return {VERIFY: prove, BACKTEST: BacktestWork(), ROBUST: robust_work}

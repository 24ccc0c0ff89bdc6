"""Plays one bot over a few ticks in a real worker and tells what it logged and how it ended."""

from __future__ import annotations

import numpy as np

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest
from sandbox.pool import Pool


def play(pool: Pool, source: bytes, ticks: int = 3, run: int = 1) -> tuple[str, list[str], list[object]]:
    """Return status, log lines, and endings or violations; `run` is how many ticks are shown at once."""
    rows = np.array([[1_700_000_000.0 + n, 100.0 + n] for n in range(ticks)])
    market = RecordedMarket(("BTCUSDT",), rows)
    (result,) = backtest(pool, [BotSource("bot.py", source)], market, Rules(10_000.0, 0.0, 0.0), run=run)
    logs = [] if result.play is None else [str(text) for _, _, text in result.play.ledger.logs]
    return result.status, logs, [*result.endings, *result.violations]

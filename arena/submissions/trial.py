"""What a trial run looked like: equity beside the price of what was traded, for the page of a submission."""

from __future__ import annotations

from collections import Counter
from typing import Any

from arena.engine.backtest.account import BacktestAccount
from arena.engine.backtest.record import rejected_count

_MOST_POINTS = 200


def trial_preview(play: BacktestAccount, *, recorded: bool) -> dict[str, Any] | None:
    """Return a trial's equity and price curves and counts; None where there is no equity to show.

    `recorded` says that its prices were the season's own, else they were made up. The symbol is the one that was
    traded most, else the first.
    """
    ledger, market = play.ledger, play.market
    rows = ledger.equity[:: max(1, len(ledger.equity) // _MOST_POINTS)]
    if not rows or not market.symbols:
        return None
    traded = Counter(trade.fill.symbol for trade in ledger.trades)
    symbol = traded.most_common(1)[0][0] if traded else market.symbols[0]
    return {
        "ticks": len(market), "recorded": recorded, "trades": len(ledger.trades), "rejected": rejected_count(ledger),
        "return_pct": (rows[-1][2] / play.rules.starting_cash - 1.0) * 100.0, "symbol": symbol,
        "times": [row[1] for row in rows], "equity": [row[2] for row in rows],
        "prices": [market.last_prices(row[0]).get(symbol) for row in rows],
    }  # fmt: skip

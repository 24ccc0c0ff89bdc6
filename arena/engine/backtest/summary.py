"""The figures of one backtested bot that users of backtesting.py or freqtrade look for."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from arena.core.statistics.ratios import (
    MIN_PERIODS,
    calmar_ratio,
    drawdown,
    returns_of,
    sharpe_ratio,
    sortino_ratio,
    trade_figures,
)
from arena.engine.backtest.account import BacktestAccount, RecordedMarket

Row = dict[str, Any]


def round_trips(play: BacktestAccount) -> list[Row]:
    """Return closed positions, from flat to flat, oldest first; profit is after fees."""
    held: dict[str, float] = defaultdict(float)
    open_trips: dict[str, Row] = {}
    closed = []
    for trade in play.ledger.trades:
        fill = trade.fill
        row = trade.row("")
        trip = open_trips.setdefault(
            fill.symbol,
            {"symbol": fill.symbol, "opened": trade.time, "size": 0.0, "bought": 0.0, "paid": 0.0, "got": 0.0},
        )
        worth = fill.size * fill.price
        if row["side"] == "BUY":
            trip["bought"] += fill.size
            trip["paid"] += worth + fill.fee
        else:
            trip["got"] += worth - fill.fee
        held[fill.symbol] = float(row["position_after"])
        trip["size"] = max(trip["size"], held[fill.symbol])
        if held[fill.symbol] == 0.0:
            profit = trip["got"] - trip["paid"]
            share = profit / trip["paid"] * 100.0 if trip["paid"] else 0.0
            closed.append({**open_trips.pop(fill.symbol), "closed": trade.time, "pnl": profit, "pnl_pct": share})
    return closed


def summary(play: BacktestAccount, market: RecordedMarket, hold_pct: float | None) -> Row:
    """Return the figures of one bot by name; None where one is not defined or has fewer than 30 periods.

    Ratios are of the returns between score points, annualised by the periods a year that were observed.
    """
    curve = np.array([row[2] for row in play.ledger.equity], dtype=np.float64)
    times = [row[1] for row in play.ledger.equity]
    start = play.score.starting_cash
    metrics = play.score.metrics(float(curve[-1]) if len(curve) else play.account.cash, play.account.fees)
    # As the score counts them; the way from the starting cash to the first score point is no period.
    returns = returns_of(np.array(play.ledger.score_points))
    years = metrics.periods_a_year
    known = len(returns) >= MIN_PERIODS and years is not None
    root = math.sqrt(years) if years else 0.0
    sharpe, sortino = (sharpe_ratio(returns), sortino_ratio(returns)) if known else (None, None)
    # The standard error of a Sharpe ratio per period, for returns without memory (Lo, 2002).
    error = math.sqrt((1 + sharpe**2 / 2) / len(returns)) if sharpe is not None else 0.0
    fall = drawdown(np.concatenate([[start], curve])) if len(curve) else None
    trips = round_trips(play)
    figures = trade_figures(np.array([trip["pnl"] for trip in trips], dtype=np.float64))
    first, last = (market.time(0), market.time(len(market) - 1)) if len(market) else (None, None)
    seconds_a_row = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else None
    return {
        "start": first,
        "end": last,
        "ticks": len(market),
        "exposure_pct": metrics.exposure_pct,
        "equity_final": float(curve[-1]) if len(curve) else play.account.cash,
        "equity_peak": float(curve.max()) if len(curve) else None,
        "return_pct": metrics.return_pct,
        "buy_and_hold_pct": hold_pct,
        "sharpe": metrics.sharpe if known else None,
        "sharpe_low": None if sharpe is None else (sharpe - 1.96 * error) * root,
        "sharpe_high": None if sharpe is None else (sharpe + 1.96 * error) * root,
        "sortino": None if sortino is None else sortino * root,
        "calmar": calmar_ratio(returns, metrics.max_drawdown_pct / 100.0, years) if known and years else None,
        "max_drawdown_pct": metrics.max_drawdown_pct,
        "max_drawdown_seconds": None if fall is None or seconds_a_row is None else fall.length * seconds_a_row,
        "round_trips": len(trips),
        "win_rate_pct": None if figures.hit_rate is None else figures.hit_rate * 100.0,
        "best_pct": max((trip["pnl_pct"] for trip in trips), default=None),
        "worst_pct": min((trip["pnl_pct"] for trip in trips), default=None),
        "average_holding_seconds": sum(t["closed"] - t["opened"] for t in trips) / len(trips) if trips else None,
        "profit_factor": figures.profit_factor,
        "expectancy": figures.expectancy,
        "fees": play.account.fees,
    }

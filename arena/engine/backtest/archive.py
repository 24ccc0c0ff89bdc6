"""Writes a finished backtest into a database of its own, in the same tables as a season."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena.core.exchange import Rules
from arena.engine.backtest.account import BacktestAccount, RecordedMarket
from arena.engine.backtest.run import BacktestResult
from arena.store.archive import write_season
from arena.store.seasons import SeasonPlan, new_id

Row = dict[str, Any]


def write_backtest(
    path: Path, market: RecordedMarket, results: Sequence[BacktestResult], rules: Rules, seed: int
) -> str:
    """Write ticks, orders, trades and equity of every bot that played; return the season's id."""
    import numpy as np

    gaps = np.diff(market.rows[:, 0])
    interval = float(np.median(gaps)) if len(gaps) else 1.0
    plan = SeasonPlan(f"backtest:{new_id()}", market.symbols, interval, rules, chance=seed)
    played = [(new_id(), result, result.play) for result in results if result.play is not None]
    rows: dict[str, list[Row]] = {
        "ticks": [
            {"n": n, "time": market.time(n), "prices": market.prices(n)} for n in range(len(market))
        ],
        "orders": [], "trades": [], "equity": [],
    }  # fmt: skip
    for bot_id, result, play in played:
        _add_rows(rows, bot_id, result.name, play)
    rows["trades"].sort(key=lambda row: row["tick"])
    rows["equity"].sort(key=lambda row: row["tick"])
    return write_season(path, plan, [_bot(*each) for each in played], rows)


def _bot(bot_id: str, result: BacktestResult, play: BacktestAccount) -> Row:
    row = {
        "id": bot_id, "name": result.name, "bot_name": result.name, "author": "local",
        "origin": "backtest", "model": None, "version": 1, "source": "", "source_hash": "",
        "symbols": list(result.symbols), "path": result.file, "submission_id": None,
    }  # fmt: skip
    entry = {
        "bot_id": bot_id, "bot_name": result.name, "status": result.status, "reason": "",
        "admitted_at": 0.0, "admitted_tick": 0, "errors": play.ledger.errors,
        "last_error": play.ledger.last_error,
    }  # fmt: skip
    return {"row": row, "entry": entry}


def _add_rows(rows: dict[str, list[Row]], bot_id: str, name: str, play: BacktestAccount) -> None:
    record, owner = play.ledger, {"bot_id": bot_id}
    rows["orders"] += [{**order.row(name), **owner} for order in record.orders]
    rows["trades"] += [{**trade.row(name), **owner} for trade in record.trades]
    rows["equity"] += [{**row, **owner} for row in record.equity_rows(name)]

"""Rows of the database joined with what only the running engine knows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from arena.engine.backtest.report import csv_cell
from arena.errors import NotFoundError
from arena.web.context import AppState, ChosenSeason

CSV_COLUMNS = (
    "rank", "name", "author", "origin", "model", "status", "equity", "return_pct", "realized_pnl",
    "unrealized_pnl", "max_drawdown_pct", "sharpe", "trades", "win_rate_pct", "turnover",
    "exposure_pct", "fees", "errors", "last_error", "bot_id", "periods", "excess_pct", "verdict", "verdict_next",
    "tie_first", "tie_last", "batches", "ticks_to_separate",
)  # fmt: skip


def with_life(context: AppState, season: ChosenSeason, row: dict[str, Any]) -> dict[str, Any]:
    """Return a bot's recorded row with its present status; that of a past season is the recorded one."""
    recorded = {
        **row,
        "positions": row.get("positions") or {},
        "trades": row.get("trades") or 0,
        "rejected": row.get("rejected") or 0,
    }
    if not season.played:
        return recorded
    try:
        seat = context.engine.roster.get(row["bot_id"])
    except NotFoundError:
        return recorded
    # The row may be older than the status: the reason comes from the same place.
    shown = {**recorded, "status": seat.status}
    return {**shown, "reason": seat.entry.reason} if "reason" in row else shown


def up_to_date(context: AppState, season: ChosenSeason, row: dict[str, Any]) -> dict[str, Any]:
    """Return a bot's row with its account as of the last recorded tick, newer than the last snapshot."""
    shown = with_life(context, season, row)
    if not season.played:
        return shown
    try:
        seat = context.engine.roster.get(row["bot_id"])
    except NotFoundError:
        return shown
    return {
        **shown,
        "cash": seat.account.cash,
        "positions": seat.account.sizes(),
        "equity": seat.equity,
        "realized_pnl": seat.account.realized,
        "unrealized_pnl": seat.unrealized,
        "return_pct": (seat.equity / context.engine.rules.starting_cash - 1.0) * 100.0,
        "trades": seat.score.trades,
        "rejected": seat.score.rejected,
    }


def csv_line(cells: Iterable[object]) -> str:
    """Return one line of CSV; a name that a spreadsheet would run is defused."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([csv_cell(cell) for cell in cells])
    return out.getvalue()

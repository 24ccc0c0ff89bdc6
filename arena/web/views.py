"""Rows of the database joined with what only the running engine knows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from arena.core.text import csv_cell
from arena.engine.seat import Seat
from arena.errors import NotFoundError
from arena.web.context import AppState, ChosenSeason

_MIN_TICKS = 30  # loading costs as much as many of them
CSV_COLUMNS = (
    "rank", "name", "author", "origin", "model", "status", "equity", "return_pct", "realized_pnl",
    "unrealized_pnl", "max_drawdown_pct", "sharpe", "trades", "win_rate_pct", "turnover",
    "exposure_pct", "fees", "errors", "last_error", "bot_id", "periods", "excess_pct", "verdict", "verdict_next",
    "tie_first", "tie_last", "batches", "ticks_to_separate", "disqualified",
)  # fmt: skip

DISQUALIFIED = "disqualified"


def with_life(context: AppState, season: ChosenSeason, row: dict[str, Any]) -> dict[str, Any]:
    """Return a bot's recorded row with its present status; that of a past season is the recorded one."""
    recorded = {
        **row,
        "positions": row.get("positions") or {},
        "trades": row.get("trades") or 0,
        "rejected": row.get("rejected") or 0,
    }
    if row.get("disqualified") is not None:
        return {**recorded, "status": DISQUALIFIED}
    if not season.played:
        return recorded
    try:
        seat = context.engine.roster.get(row["bot_id"])
    except NotFoundError:
        return recorded
    # The row may be older than the status: the reason comes from the same place.
    shown = {**recorded, "status": seat.status, "recovered": seat.recovered}
    return {**shown, "reason": seat.entry.reason} if "reason" in row else shown


def up_to_date(context: AppState, season: ChosenSeason, row: dict[str, Any]) -> dict[str, Any]:
    """Return a bot's row with its account as of the last recorded tick, newer than the last ranking."""
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
        "cpu_ms": _cpu_ms(context, seat),
    }


def _cpu_ms(context: AppState, seat: Seat) -> float | None:
    """Return the CPU of a bot's process for each tick since it was started, None below 30 of them."""
    worker, ticks = seat.worker, context.engine.market.n - seat.launched[0]
    if worker is None or not worker.alive or ticks < _MIN_TICKS:
        return None
    return worker.cpu() / ticks * 1000.0


def csv_line(cells: Iterable[object]) -> str:
    """Return one line of CSV; a name that a spreadsheet would run is defused."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([csv_cell(cell) for cell in cells])
    return out.getvalue()

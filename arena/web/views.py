"""Rows of the database joined with what only the running engine knows."""

from __future__ import annotations

from typing import Any

from arena.engine.report import csv_cell
from arena.errors import NotFoundError
from arena.store import queries
from arena.web.context import Context

CSV_COLUMNS = (
    "rank", "name", "author", "origin", "model", "status", "equity", "return_pct", "realized_pnl",
    "unrealized_pnl", "max_drawdown_pct", "sharpe", "trades", "win_rate_pct", "turnover",
    "exposure_pct", "fees", "errors", "last_error", "bot_id",
)  # fmt: skip


def with_life(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    """Return a bot's recorded row with its present status."""
    recorded = {
        **row,
        "positions": row.get("positions") or {},
        "trades": row.get("trades") or 0,
        "rejected": row.get("rejected") or 0,
    }
    try:
        return {**recorded, "status": context.engine.roster.get(row["bot_id"]).status}
    except NotFoundError:
        return recorded


def up_to_date(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    """Return a bot's row with its account as of the last recorded tick, newer than the last snapshot."""
    shown = with_life(context, row)
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


def board_items(
    context: Context, sort: str, order: str, limit: int, cursor: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Return a page of the board and the cursor of the next one."""
    rows = queries.board(context.database, context.season_id)
    if sort != "rank" or order == "desc":
        known = [row for row in rows if row[sort] is not None]
        unknown = [row for row in rows if row[sort] is None]
        rows = sorted(known, key=lambda row: row[sort], reverse=order == "desc") + unknown
    shown = [with_life(context, row) for row in rows[cursor : cursor + limit]]
    following = cursor + limit if cursor + limit < len(rows) else None
    return shown, following


def board_csv(items: list[dict[str, Any]]) -> str:
    """Return the board as CSV; a name that a spreadsheet would run is defused."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for item in items:
        writer.writerow([csv_cell(item[column]) for column in CSV_COLUMNS])
    return out.getvalue()

"""The rows of trades, orders, equity and logs: one type and one builder each.

Live ticks, backtests, reports and proofs build their rows here, so that all have the same columns; where a row
is stored, the ids of its season, bot and order come along.
"""

from __future__ import annotations

from typing import TypedDict

from arena.core.orders import Fill, OrderStatus
from arena.core.text import clean_line

_LONGEST_NAME = 80  # characters of a symbol or side that a bot made up


class TradeColumns(TypedDict):
    """One fill; `cash_after` and `position_after` are the account's once it is booked."""

    tick: int
    time: float
    bot_name: str
    symbol: str
    side: str
    size: float
    price: float
    cash_after: float
    position_after: float
    fee: float
    realized_pnl: float


class OrderColumns(TypedDict):
    """One order from request to end; `tick` and `time` are of the request, `size` is None where it was no number."""

    tick: int
    time: float
    bot_name: str
    symbol: str
    side: str
    size: float | None
    status: str
    reason: str | None
    fill_time: float | None
    fill_price: float | None
    fill_size: float | None


class EquityColumns(TypedDict):
    """One account marked at a tick."""

    tick: int
    time: float
    bot_name: str
    equity: float
    realized_pnl: float
    unrealized_pnl: float
    cash: float


class LogColumns(TypedDict):
    """One line of a bot's log."""

    time: float
    level: str
    message: str


def trade_row(tick: int, time: float, bot_name: str, fill: Fill) -> TradeColumns:
    """Return the row of one fill."""
    return {
        "tick": tick, "time": time, "bot_name": bot_name, "symbol": fill.symbol, "side": fill.side.value,
        "size": fill.size, "price": fill.price, "cash_after": fill.cash_after,
        "position_after": fill.position_after, "fee": fill.fee, "realized_pnl": fill.realized,
    }  # fmt: skip


def order_row(
    tick: int,
    time: float,
    bot_name: str,
    *,
    symbol: str,
    side: str,
    size: float | None,
    status: OrderStatus,
    reason: str | None = None,
    fill_time: float | None = None,
    fill_price: float | None = None,
    fill_size: float | None = None,
) -> OrderColumns:
    """Return the row of one order; symbol and side are the bot's own words and become one visible line."""
    return {
        "tick": tick, "time": time, "bot_name": bot_name, "symbol": clean_line(symbol, _LONGEST_NAME),
        "side": clean_line(str(side), _LONGEST_NAME), "size": size, "status": status.value, "reason": reason,
        "fill_time": fill_time, "fill_price": fill_price, "fill_size": fill_size,
    }  # fmt: skip


def equity_row(
    tick: int, time: float, bot_name: str, *, equity: float, realized: float, unrealized: float, cash: float
) -> EquityColumns:
    """Return the row of one account marked at a tick."""
    return {
        "tick": tick, "time": time, "bot_name": bot_name, "equity": equity, "realized_pnl": realized,
        "unrealized_pnl": unrealized, "cash": cash,
    }  # fmt: skip


def log_row(time: float, level: str, message: str) -> LogColumns:
    """Return the row of one line of a log; the message is clean already."""
    return {"time": time, "level": level, "message": message}

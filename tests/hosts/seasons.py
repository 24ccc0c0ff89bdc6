"""One season that meets every kind of order, error and condition, and all that is stored of it."""

from __future__ import annotations

from typing import Any

from arena.core.exchange import Conditions
from tests.arenas import bot_source
from tests.engine.conftest import Hand, Steady

# What follows from the season alone; ids that chance gives, and times of the wall clock, are not of it.
QUERIES = {
    "orders": "SELECT id, tick, time, bot_name, symbol, side, size, status, reason, fill_time, fill_price, fill_size "
    "FROM orders WHERE season_id = :season ORDER BY id",
    "trades": "SELECT id, tick, time, bot_name, symbol, side, size, price, fee, realized_pnl, cash_after, "
    "position_after, order_id FROM trades WHERE season_id = :season ORDER BY id",
    "equity": "SELECT tick, bot_name, equity, realized_pnl, unrealized_pnl, cash FROM equity "
    "WHERE season_id = :season ORDER BY tick, bot_name",
    "ticks": "SELECT n, time, prices, conditions FROM ticks WHERE season_id = :season ORDER BY n",
    "standings": "SELECT e.bot_name, s.rank, s.equity, s.cash, s.trades, s.rejected, s.errors, s.score, s.account, "
    "s.sharpe, s.note FROM standings s JOIN entries e ON e.bot_id = s.bot_id AND e.season_id = s.season_id "
    "WHERE s.season_id = :season ORDER BY e.bot_name",
    "entries": "SELECT bot_name, status, reason, errors, last_error, errors_in_a_row, orders_count, orders_digest, "
    "rejections_today, good_tick, rejected FROM entries WHERE season_id = :season ORDER BY bot_name",
    "events": "SELECT tick, bot_name, event, detail FROM bot_ticks b JOIN entries e ON e.bot_id = b.bot_id "
    "AND e.season_id = b.season_id WHERE b.season_id = :season ORDER BY b.id",
    "logs": "SELECT tick, bot_name, level, message, time FROM logs l JOIN entries e ON e.bot_id = l.bot_id "
    "AND e.season_id = l.season_id WHERE l.season_id = :season ORDER BY l.id",
}
COUNTER = 'global n\nn += 1\nctx.log(f"call {n}")\nctx.submit_order("BTCUSDT", "BUY" if n % 3 else "SELL", 0.01 * n)'
BOTS = (
    bot_source(COUNTER, name="Counter", top="n = 0"),
    bot_source('ctx.submit_order("ETHUSDT", "BUY", 1.0)', name="Ether", symbols='["ETHUSDT"]'),
    bot_source('ctx.submit_order("BTCUSDT", "SELL", 1e9)', name="Naked"),
    bot_source('ctx.submit_order("BTCUSDT", "up", 1)', name="Wrong"),
    bot_source('raise ValueError("bad")', name="Raises"),
    bot_source("pass", name="Quiet"),
    bot_source("global n\nn += 1\nif n == 5:\n    x = [0] * (1 << 32)", name="Greedy", top="n = 0"),
    bot_source(COUNTER, name="Second", top="n = 5"),
)


def market() -> Steady:
    """Return a market that moves, bars a symbol for a while and settles it for good."""
    found = Steady(*({"BTCUSDT": 100.0 + n % 7, "ETHUSDT": 10.0 + n % 3 / 3.0} for n in range(40)))
    found.strange = {n: Conditions({"ETHUSDT": "ETHUSDT is halted"}) for n in range(9, 12)}
    found.strange[21] = Conditions({}, {"ETHUSDT": 9.5})
    return found


def record(hand: Hand) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is stored of a season."""
    return {name: hand.rows(query) for name, query in QUERIES.items()}

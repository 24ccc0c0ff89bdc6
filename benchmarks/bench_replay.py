"""What does a locked process of its own cost a replay?

One SMA(10/30) bot over a random walk: the arena's isolated replay (run phase, start-up apart) against
the same source in one plain loop with the same ledger. Five interleaved rounds, medians.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from arena.core.exchange import Rules, settle
from arena.core.ledger import Account, mark
from arena.core.orders import Order, check_order
from arena.engine.backtest import Candidate, backtest
from arena.engine.player import Market
from sandbox.pool import Pool

TICKS = 100_000
ROUNDS = 5
SOURCE = """
from collections import deque
NAME = "SMA"
SYMBOLS = ["BTCUSDT"]
fast = deque(maxlen=10)
slow = deque(maxlen=30)
def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    fast.append(price)
    slow.append(price)
    if len(slow) < 30:
        return
    up = sum(fast) / 10 > sum(slow) / 30
    held = ctx.get_position("BTCUSDT")
    if up and held == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif not up and held > 0:
        ctx.submit_order("BTCUSDT", "SELL", held)
"""


class PlainContext:
    """ctx without a wall."""

    def __init__(self) -> None:
        self.prices: dict[str, float] = {}
        self.account = Account(10_000.0)
        self.pending: list[Order] = []

    def get_price(self, symbol: str) -> float | None:
        """Return a price."""
        return self.prices.get(symbol)

    def get_position(self, symbol: str) -> float:
        """Return a position."""
        return self.account.size_of(symbol)

    def submit_order(self, symbol: str, side: str, size: float) -> None:
        """Queue an order."""
        order = check_order(symbol, side, size, 0)
        assert isinstance(order, Order)
        self.pending.append(order)


def plain(market: Market) -> float:
    """Play the bot in this process and return its cash."""
    names: dict[str, object] = {}
    exec(SOURCE, names)
    on_tick: Callable[[PlainContext, dict[str, object]], None] = names["on_tick"]  # type: ignore[assignment]
    ctx, rules = PlainContext(), Rules()
    for row in market.rows.tolist():
        ctx.prices = {"BTCUSDT": row[1]}
        if ctx.pending:
            ctx.account = settle("SMA", ctx.account, ctx.pending, ctx.prices, rules).account
            ctx.pending = []
        account, value = ctx.account, mark(ctx.account, ctx.prices)
        on_tick(ctx, {
            "time": row[0], "prices": dict(ctx.prices),
            "bot": {"cash": account.cash, "positions": account.sizes(), "equity": value.equity,
                    "realized_pnl": account.realized, "unrealized_pnl": value.unrealized},
        })  # fmt: skip
    return ctx.account.cash


def isolated(pool: Pool, market: Market) -> float:
    """Play the bot in a locked process and return its cash."""
    result = backtest(pool, [Candidate("sma", SOURCE.encode())], market, Rules())[0]
    assert result.play is not None
    return result.play.account.cash


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(7)
    prices = 69_000 * np.exp(np.cumsum(rng.normal(0, 2e-4, TICKS)))
    market = Market(("BTCUSDT",), np.column_stack([1.7e9 + np.arange(TICKS), prices]))
    pool = Pool("arena.runtime.bot:BotRuntime")
    pool.start()
    seconds: dict[str, list[float]] = {"plain": [], "isolated": []}
    try:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            one = plain(market)
            middle = time.perf_counter()
            other = isolated(pool, market)
            seconds["plain"].append(middle - started)
            seconds["isolated"].append(time.perf_counter() - middle)
            assert one == other, "the isolated run must make the very same trades"
    finally:
        pool.stop()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(json.dumps({
        "question": "isolated replay against a plain loop", "ticks": TICKS, "rounds": ROUNDS,
        "plain_ticks_per_second": round(TICKS / medians["plain"]),
        "isolated_ticks_per_second": round(TICKS / medians["isolated"]),
        "ratio": round(medians["plain"] / medians["isolated"], 3),
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()

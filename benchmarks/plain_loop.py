"""The baseline of the replay benchmarks: a bot in one plain, unsandboxed loop with a full ledger.

Straightforward and as fast as that is: per tick a fresh `tick` with its `bot` part, orders that fill at the
next tick, trades, equity every tenth tick, drawdown and exposure at every tick, metrics at the end. As a
program it reads a market file with the arena's own loader, plays a bot file, and prints one JSON line.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS_A_YEAR = 365.0 * 86400.0


@dataclass(slots=True)
class Books:
    """One bot's money, and what it leaves behind."""

    cash: float = 10_000.0
    sizes: dict[str, float] = field(default_factory=dict)
    averages: dict[str, float] = field(default_factory=dict)
    realized: float = 0.0
    trades: list[tuple[float, str, str, float, float, float, float]] = field(default_factory=list)
    curve: list[tuple[float, float, float, float]] = field(default_factory=list)
    peak: float = -math.inf
    drawdown: float = 0.0
    exposed: int = 0
    sells: int = 0
    wins: int = 0
    turnover: float = 0.0

    def settle(self, orders: list[tuple[str, str, float]], now: float, prices: dict[str, float]) -> None:
        """Fill what waits at this tick's prices, at average cost."""
        for symbol, side, asked in orders:
            price, size, held = prices.get(symbol), asked, self.sizes.get(symbol, 0.0)
            if price is None:
                continue
            if side == "BUY":
                if self.cash < price * size:
                    continue
                total = held + size
                average = (self.averages[symbol] * held + price * size) / total if held else price
                self.averages[symbol] = average
                self.sizes[symbol] = left = total
                self.cash -= price * size
            else:
                if held <= 0:
                    continue
                size = min(size, held)
                gain = (price - self.averages[symbol]) * size
                self.cash += price * size
                self.realized += gain
                self.sells += 1
                self.wins += gain > 0
                left = self.sizes[symbol] = held - size
                if not left:
                    del self.sizes[symbol], self.averages[symbol]
            self.turnover += price * size
            self.trades.append((now, symbol, side, size, price, self.cash, left))


class Context:
    """`ctx` without a wall."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.prices: dict[str, float] = {}
        self.pending: list[tuple[str, str, float]] = []

    def get_price(self, symbol: str) -> float | None:
        """Return a price."""
        return self.prices.get(symbol)

    def get_cash(self) -> float:
        """Return the cash."""
        return self.books.cash

    def get_position(self, symbol: str) -> float:
        """Return a position."""
        return self.books.sizes.get(symbol, 0.0)

    def submit_order(self, symbol: str, side: str, size: float) -> None:
        """Queue an order."""
        if side not in {"BUY", "SELL"} or not (math.isfinite(size) and size > 0.0):
            return
        self.pending.append((symbol, side, size))


def play(source: str, symbols: tuple[str, ...], rows: list[list[float]]) -> Books:
    """Play a bot over rows of time and prices; every symbol has a price at every tick."""
    names: dict[str, Any] = {}
    exec(source, names)
    on_tick = names["on_tick"]
    books = Books()
    ctx = Context(books)
    last = len(rows) - 1
    for n, row in enumerate(rows):
        now, prices = row[0], dict(zip(symbols, row[1:], strict=True))
        ctx.prices = prices
        if ctx.pending:
            waiting, ctx.pending = ctx.pending, []
            books.settle(waiting, now, prices)
        equity, unrealized = books.cash, 0.0
        if books.sizes:
            for symbol, size in books.sizes.items():
                price = prices[symbol]
                equity += size * price
                unrealized += (price - books.averages[symbol]) * size
            books.exposed += 1
        if equity > books.peak:
            books.peak = equity
        elif (fall := 1.0 - equity / books.peak) > books.drawdown:
            books.drawdown = fall
        if n % 10 == 0 or n == last:
            books.curve.append((now, equity, books.realized, unrealized))
        on_tick(ctx, {
            "time": now, "prices": prices.copy(),
            "bot": {"cash": books.cash, "positions": books.sizes.copy(), "equity": equity,
                    "realized_pnl": books.realized, "unrealized_pnl": unrealized},
        })  # fmt: skip
    return books


def metrics(books: Books, ticks: int) -> dict[str, float | None]:
    """Return the published measures."""
    equity = [row[1] for row in books.curve]
    returns = [b / a - 1.0 for a, b in itertools.pairwise(equity)]
    mean = sum(returns) / len(returns)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in returns) / (len(returns) - 1))
    spacing = (books.curve[-1][0] - books.curve[0][0]) / len(returns)
    return {
        "equity": equity[-1], "max_drawdown_pct": books.drawdown * 100, "trades": len(books.trades),
        "sharpe": mean / deviation * math.sqrt(SECONDS_A_YEAR / spacing) if deviation else None,
        "win_rate_pct": books.wins / books.sells * 100 if books.sells else None,
        "turnover": books.turnover / 10_000.0, "exposure_pct": books.exposed / ticks * 100, "cash": books.cash,
    }  # fmt: skip


def main() -> None:
    """Play `BOT DATA` and print the measures and the seconds of the loop alone."""
    import numpy as np

    from arena.feeds.history import load_history

    source = Path(sys.argv[1]).read_text("utf-8")
    history = load_history([sys.argv[2]], interval=None)
    rows = np.column_stack([history.times, history.prices]).tolist()
    started = time.perf_counter()
    books = play(source, history.symbols, rows)
    seconds = time.perf_counter() - started
    print(json.dumps({**metrics(books, len(rows)), "seconds": seconds, "ticks": len(rows)}))


if __name__ == "__main__":
    main()

"""Does the language wall slow honest bots down? Prints JSON: time under the wall over time without.

Three ordinary bots see the same ticks in this process, compiled by the wall and as plain Python, in
turns, so that a busy machine slows both alike; the ratio is of the medians.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from sandbox.language import class_numbers

# Before numpy is imported, as in a zygote.
class_numbers.begin()

from sandbox.language import builtin_names, guards  # noqa: E402
from sandbox.language.addresses import hide_addresses  # noqa: E402
from sandbox.language.compiler import compile_bot  # noqa: E402
from sandbox.language.modules import build, take_over  # noqa: E402
from sandbox.language.modules.facade import names_of  # noqa: E402
from sandbox.language.modules.hardening import freeze_host_classes  # noqa: E402
from sandbox.language.modules.services import Services  # noqa: E402

SMA = """
from collections import deque
FAST, SLOW = deque(maxlen=10), deque(maxlen=30)
def on_tick(ctx, tick):
    price = tick["prices"].get("BTCUSDT")
    if price is None:
        return
    FAST.append(price)
    SLOW.append(price)
    if len(SLOW) < 30:
        return
    fast, slow = sum(FAST) / len(FAST), sum(SLOW) / len(SLOW)
    held = ctx.get_position("BTCUSDT")
    if fast > slow and held == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif fast < slow and held > 0:
        ctx.submit_order("BTCUSDT", "SELL", held)
"""
EMA = """
state = {"ema": None, "above": False, "n": 0}
def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    state["n"] += 1
    state["ema"] = price if state["ema"] is None else 0.1 * price + 0.9 * state["ema"]
    above = price > state["ema"]
    if above and not state["above"]:
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif state["above"] and not above and ctx.get_position("BTCUSDT") > 0:
        ctx.submit_order("BTCUSDT", "SELL", 0.01)
    state["above"] = above
"""
ZSCORE = """
from collections import deque
from dataclasses import dataclass, field
import math
@dataclass
class Window:
    size: int
    prices: deque = field(default_factory=deque)
    _total: float = 0.0
    _squares: float = 0.0
    def push(self, price: float) -> None:
        self.prices.append(price)
        self._total += price
        self._squares += price * price
        if len(self.prices) > self.size:
            old = self.prices.popleft()
            self._total -= old
            self._squares -= old * old
    @property
    def z(self) -> float:
        n = len(self.prices)
        mean = self._total / n
        spread = math.sqrt(max(self._squares / n - mean * mean, 1e-12))
        return (self.prices[-1] - mean) / spread
window = Window(50)
def on_tick(ctx, tick):
    window.push(tick["prices"]["BTCUSDT"])
    if len(window.prices) < 50:
        return
    z = window.z
    held = ctx.get_position("BTCUSDT")
    if z < -2 and held == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif z > 0 and held > 0:
        ctx.submit_order("BTCUSDT", "SELL", held)
        ctx.log(f"sold at z={z:+.2f}")
"""
WORST = """
from dataclasses import dataclass, field
from collections import deque
@dataclass
class Window:
    data: deque = field(default_factory=deque)
    def push(self, price):
        self.data.append(price)
        if len(self.data) > 50:
            self.data.popleft()
        return self.data[-1] - self.data[0]
window = Window()
def on_tick(ctx, tick):
    change = window.push(tick["prices"]["BTCUSDT"])
    if len(window.data) == 50 and change < -500 and ctx.get_position("BTCUSDT") == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
"""
BOTS = {"sma with deques": SMA, "ema in a dict": EMA, "z-score in a class": ZSCORE}
# Every attribute of this one is called `data`, which numpy's arrays keep to themselves: no goal.
WORST_CASE = {"a guarded name only": WORST}
GOAL = 1.10


class Book:
    """The least a bot needs as `ctx`."""

    def __init__(self) -> None:
        self.price, self.held = 0.0, 0.0

    def get_price(self, _symbol: str) -> float:
        """Return the price."""
        return self.price

    def get_position(self, _symbol: str) -> float:
        """Return what is held."""
        return self.held

    def submit_order(self, _symbol: str, side: str, size: float) -> None:
        """Fill at once."""
        self.held += size if side == "BUY" else -size

    def log(self, message: object) -> None:
        """Swallow a line."""


def walled() -> Callable[[str], dict[str, Any]]:
    """Return what loads a source under the wall."""
    services = Services()
    take_over(services)
    modules = build(services)
    offered = {name: names_of(module) for name, module in modules.items()}
    builtins, gates = builtin_names.build(services, modules), guards.build(services)
    hide_addresses(services)
    freeze_host_classes()

    def load(source: str) -> dict[str, Any]:
        code, violations = compile_bot(source.encode(), offered, 65536)
        if code is None:
            raise SystemExit(f"a bot of the benchmark is refused: {violations}")
        namespace = {"__builtins__": builtins, "__name__": "bot", **gates}
        exec(code, namespace)
        return namespace

    return load


def plain(source: str) -> dict[str, Any]:
    """Load a source as ordinary Python."""
    namespace: dict[str, Any] = {"__name__": "bot"}
    exec(compile(source, "bot.py", "exec", dont_inherit=True), namespace)
    return namespace


def play(namespace: dict[str, Any], ticks: list[dict[str, Any]]) -> float:
    """Return the CPU seconds that a bot takes for all ticks."""
    book, on_tick = Book(), namespace["on_tick"]
    start = time.process_time()
    for tick in ticks:
        book.price = tick["prices"]["BTCUSDT"]
        on_tick(book, tick)
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    chance, price, ticks = random.Random(1), 60_000.0, []
    for n in range(options.ticks):
        price *= 1 + chance.gauss(0, 0.001)
        ticks.append({"time": float(n), "prices": {"BTCUSDT": price}})
    load, found = walled(), {}
    for name, source in (BOTS | WORST_CASE).items():
        guarded, free = load(source), plain(source)
        times: tuple[list[float], list[float]] = ([], [])
        gc.disable()
        for turn in range(options.rounds):
            pair = ((0, guarded), (1, free)) if turn % 2 else ((1, free), (0, guarded))
            for which, namespace in pair:
                times[which].append(play(namespace, ticks))
        gc.enable()
        wall, bare = map(statistics.median, times)
        found[name] = {
            "wall_us_per_tick": round(wall / options.ticks * 1e6, 3),
            "plain_us_per_tick": round(bare / options.ticks * 1e6, 3),
            "ratio": round(wall / bare, 3),
        }
    within = all(found[name]["ratio"] <= GOAL for name in BOTS)
    print(json.dumps({"goal": GOAL, "within_goal": within, "bots": found}, indent=2))


if __name__ == "__main__":
    main()

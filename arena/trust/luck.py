"""The floor of luck: random traders with the same trades at other times.

Each lot that a bot has bought keeps symbol, size and how long it was held, and begins at a time drawn at random.
How often such traders do better says how much its timing is worth.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from arena.core.exchange import Rules

Floats = npt.NDArray[np.float64]

TRADERS = 1000
MIN_LOTS = 5


class Lot(NamedTuple):
    """What was bought at once and how long it was held; `sold` is None while it is held."""

    symbol: str
    size: float
    bought: float
    sold: float | None


def lots_of(trades: Sequence[Any]) -> list[Lot]:
    """Return the lots of trades in order of time, first in first out."""
    held: dict[str, deque[list[float]]] = defaultdict(deque)
    found = []
    for trade in trades:
        queue = held[trade.symbol]
        if trade.side == "BUY":
            queue.append([trade.time, trade.size])
            continue
        left = trade.size
        while left > 0.0 and queue:
            taken = min(left, queue[0][1])
            found.append(Lot(trade.symbol, taken, queue[0][0], trade.time))
            left -= taken
            queue[0][1] -= taken
            if queue[0][1] <= 0.0:
                queue.popleft()
    found += [Lot(symbol, size, time, None) for symbol, queue in held.items() for time, size in queue]
    return found


def luck_floor(
    lots: Sequence[Lot], times: Floats, prices: dict[str, Floats], rules: Rules, seed: int, since: float = 0.0
) -> dict[str, Any]:
    """Return the share of random traders that do better with the same lots at other times.

    `prices` are those at `times`, NaN where none was known yet; what the bot itself has made is worked out on the same
    grid. Below five lots `p` is None and `needs` says so. Traders may hold more at once than the bot's cash could pay.
    """
    first = int(np.searchsorted(times, since))
    usable = [lot for lot in lots if lot.symbol in prices and len(times) - first > 1]
    if len(usable) < MIN_LOTS:
        return {
            "p": None, "traders": 0, "lots": len(usable), "profit": None, "median_profit": None,
            "needs": f"needs {MIN_LOTS} lots, has {len(usable)}",
        }  # fmt: skip
    chance = np.random.default_rng(seed)
    last = len(times) - 1
    dearer = (1.0 + rules.slippage_bps / 1e4) * (1.0 + rules.fee_bps / 1e4)
    cheaper = (1.0 - rules.slippage_bps / 1e4) * (1.0 - rules.fee_bps / 1e4)
    own, others = 0.0, np.zeros(TRADERS)
    for lot in usable:
        series = prices[lot.symbol]
        begin = int(np.clip(np.searchsorted(times, lot.bought), first, last))
        end = last if lot.sold is None else int(np.clip(np.searchsorted(times, lot.sold), begin, last))
        # What is still held is marked at the last price, and sold by nobody.
        worth = 1.0 if lot.sold is None else cheaper
        drawn = chance.integers(first, last - (end - begin) + 1, TRADERS)
        own += lot.size * float(np.nan_to_num(series[end] * worth - series[begin] * dearer))
        others += lot.size * np.nan_to_num(series[drawn + (end - begin)] * worth - series[drawn] * dearer)
    better = int(np.sum(others >= own))
    return {
        # The bot is one of them, so that p is never 0.
        "p": (1.0 + better) / (1.0 + TRADERS), "traders": TRADERS, "lots": len(usable), "profit": own,
        "median_profit": float(np.median(others)), "needs": None,
    }  # fmt: skip


def luck_words(found: dict[str, Any]) -> str:
    """Return what the floor of luck says, in one sentence."""
    if found["p"] is None:
        return f"Whether its timing is more than luck cannot be said yet: {found['needs']}."
    share = f"{found['p']:.1%} of {found['traders']:,} random traders with its {found['lots']:,} lots at other times"
    if found["p"] <= 0.05:
        return f"Its timing is better than luck: only {share} do as well."
    return f"Its timing may be luck: {share} do as well."

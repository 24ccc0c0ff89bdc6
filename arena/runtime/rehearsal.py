"""The bot that a zygote plays before it forks, so that every worker finds the runtime warm."""

from __future__ import annotations

import struct

from arena.core.exchange import Rules
from arena.core.ledger import Account
from arena.runtime.start import Start
from arena.runtime.wire import pack_run

_SOURCE = b"""
from collections import deque
NAME = "rehearsal"
SYMBOLS = ["X"]
seen = deque(maxlen=10)
def init(ctx):
    if ctx.get_price("X") > 1.5:
        ctx.log("ready")
def on_tick(ctx, tick):
    price = ctx.get_price("X")
    seen.append(price)
    if sum(seen) / len(seen) >= price and ctx.get_cash() > 0 and ctx.get_position("X") > 0:
        ctx.submit_order("X", "BUY", 0.01)
        ctx.submit_order("X", "SELL", 0.01)
        if price > 1.5:
            ctx.log(f"{tick['bot']['equity']:.2f}")
"""
_LOUD, _QUIET = 2.0, 1.0


def rehearsal() -> tuple[bytes, list[tuple[bytes, list[bytes]]]]:
    """Return a source, and starts with their calls: a talkative bot's, then those of any bot that trades."""
    return _SOURCE, [_performance(price) for price in (_LOUD, _QUIET)]


def _performance(price: float) -> tuple[bytes, list[bytes]]:
    account = Account(10_000.0).bought("X", 1.0, 1.0, 0.0)
    start = Start("rehearsal", 0, 0.0, True, {"X": price}, {"X": price}, ("X",), account, Rules().parts)
    first = pack_run(struct.pack("<2d", 1.0, price), 1, ("X",), account, with_symbols=True)
    # At this one the orders of the first are filled.
    then = pack_run(struct.pack("<2d", 2.0, price), 1, ("X",), None, with_symbols=False, whole=True)
    return start.pack(), [first, then]

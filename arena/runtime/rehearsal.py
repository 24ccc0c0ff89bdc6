"""The bot that a zygote plays before it forks, so that every worker finds the runtime warm."""

from __future__ import annotations

import struct

from arena.core.ledger import Account
from arena.runtime.start import Start
from arena.runtime.wire import pack_run

_SOURCE = b"""
from collections import deque
NAME = "rehearsal"
SYMBOLS = ["X"]
seen = deque(maxlen=10)
def init(ctx):
    ctx.log("ready")
def on_tick(ctx, tick):
    price = ctx.get_price("X")
    seen.append(price)
    if sum(seen) / len(seen) >= price and ctx.get_cash() > 0 and ctx.get_position("X") > 0:
        ctx.submit_order("X", "BUY", 0.01)
        ctx.submit_order("X", "SELL", 0.01)
        ctx.log(f"{tick['bot']['equity']:.2f}")
"""


def rehearsal() -> tuple[bytes, bytes, bytes]:
    """Return a source, a start and a call of our own."""
    account = Account(10_000.0).bought("X", 1.0, 1.0, 0.0)
    start = Start("rehearsal", 0, 0.0, True, {"X": 1.0}, {"X": 1.0}, ("X",), account, (10_000.0, 0.0, 0.0))
    call = pack_run(struct.pack("<2d", 1.0, 1.0), 1, ("X",), account, with_symbols=True)
    return _SOURCE, start.pack(), call

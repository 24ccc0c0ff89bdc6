"""Does any byte sequence from a worker raise anything but a protocol verdict?

One million random and mutated frames through the frame parser and the reply parser, in one process;
prints how many were read, refused, and how much memory the parsers held at most.
"""

from __future__ import annotations

import json
import random
import sys
import tracemalloc

from arena.core.orders import Order, Rejection, Side
from arena.runtime.wire import BotError, Level, ReplyWriter, Where, read_reply
from sandbox.talk.protocol import FrameReader, Kind, ProtocolFault, encode

BUDGET = 64 * 1024


def seed_frame(rng: random.Random) -> bytes:
    """Return an honest frame to mutate."""
    writer = ReplyWriter()
    for tick in range(rng.randrange(1, 4)):
        writer.order(tick, Order("BTCUSDT", Side.BUY, rng.random()))
        writer.rejected(tick, Rejection("X", "buy", None, "Unknown order side"))
        writer.log(tick, Level.INFO, "x" * rng.randrange(50))
        writer.error(tick, BotError(Where.on_tick, "division by zero", "ZeroDivisionError", 14))
    return encode(Kind.REPLY, rng.randrange(1 << 32), writer.finish(4, rng.random(), 0.0))


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few of them changed, cut or repeated."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(changed))
        changed[at] = rng.randrange(256)
    if rng.random() < 0.2:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def main() -> None:
    """Fuzz and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rng = random.Random(1)
    seeds = [seed_frame(rng) for _ in range(50)]
    counts = {"read": 0, "incomplete": 0, "refused_frame": 0, "refused_reply": 0}
    tracemalloc.start()
    for number in range(rounds):
        data = rng.randbytes(rng.randrange(1, 200)) if number % 3 == 0 else mutated(rng, rng.choice(seeds))
        reader = FrameReader(BUDGET)
        try:
            reader.feed(data)
            frame = reader.next()
        except ProtocolFault:
            counts["refused_frame"] += 1
            continue
        if frame is None:
            counts["incomplete"] += 1
            continue
        try:
            read_reply(frame.payload, 4)
        except ValueError:
            counts["refused_reply"] += 1
        else:
            counts["read"] += 1
    _, peak = tracemalloc.get_traced_memory()
    print(json.dumps({"frames": rounds, **counts, "peak_kib": peak // 1024}, indent=2))


if __name__ == "__main__":
    main()

"""A small market and the few lines a server needs to run one bot in it."""

from __future__ import annotations

import struct

from arena.core.ledger import Account
from arena.runtime.start import Start
from arena.runtime.wire import BotReply, pack_run, read_reply
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerReply, WorkerRequest
from sandbox.talk.worker import Worker

SYMBOLS = ("BTCUSDT", "ETHUSDT")
CASH = 10_000.0
# CPU seconds for hostile bots; the wall is so far away that no busy machine comes near it.
SOFT, HARD, WALL = 0.1, 0.25, 60.0


def bot(body: str, top: str = "") -> bytes:
    """Return the source of a bot whose on_tick has this body, one statement a line."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f'NAME = "bot"\nSYMBOLS = ["BTCUSDT"]\n{top}\ndef on_tick(ctx, tick):\n{lines}'.encode()


def prices_at(index: int) -> tuple[float, ...]:
    """Return a price per symbol; deterministic, and never twice the same in a row."""
    return (100.0 + 7.0 * ((index * 3) % 5), 50.0 - 3.0 * (index % 4))


def meta(name: str = "bot") -> bytes:
    """Return what a worker is told at the start."""
    rules = (CASH, 10.0, 5.0)
    return Start(name, 1, 0.0, False, {}, {}, SYMBOLS, Account(CASH), rules).pack()


def one_tick(index: int) -> bytes:
    """Return the request for one tick."""
    row = struct.pack("<3d", 1_700_000_000.0 + index, *prices_at(index))
    return pack_run(row, 1, SYMBOLS, None, with_symbols=False)


def start(pool: Pool, source: bytes) -> Worker:
    """Check a source, start a worker with it, and wait until it is ready."""
    checked = pool.check(source)
    assert checked.accepted, checked.violations
    return start_program(pool, checked.program)


def start_program(pool: Pool, program: bytes) -> Worker:
    """Start a worker with a program and wait until it is ready."""
    worker, ask = pool.spawn(program, meta())
    (answer,) = gather([ask])
    assert answer.payload is not None, answer
    return worker


def tick(worker: Worker, index: int = 0, *, soft: float = SOFT, hard: float = HARD, wall: float = WALL) -> WorkerReply:
    """Show a worker one tick and wait for what comes of it."""
    return gather([WorkerRequest(worker, Kind.CALL, one_tick(index), soft, hard, wall)])[0]


def reply(answer: WorkerReply) -> BotReply:
    """Read a reply that must be there."""
    assert answer.payload is not None, answer
    return read_reply(answer.payload, 1)

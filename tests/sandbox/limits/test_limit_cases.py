"""Every file in `cases` overdoes something; its header says how that must end, and nobody else notices.

`refused`: not even loaded. `ok`: bounded, and the bot goes on. `error`: an exception of the bot's own.
Else the verdict's name; several where the machine decides which comes first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.core.ledger import Account
from arena.runtime.start import Start
from arena.runtime.wire import BotReply, pack_run, read_reply
from sandbox.pool import Pool
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerReply, WorkerRequest
from sandbox.talk.verdict import Verdict
from sandbox.talk.worker import Worker

CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))
LIMITS = Limits(tick_cpu_soft=0.25, tick_cpu_hard=0.4, load_cpu=0.6, load_wall=60.0, wall_backstop=60.0)
TICKS = 3
HONEST = b"""
NAME = "Honest"
SYMBOLS = ["BTCUSDT"]
def on_tick(ctx, tick):
    ctx.submit_order("BTCUSDT", "BUY", 0.001)
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    started = Pool("arena.runtime.bot:BotRuntime", LIMITS)
    started.start()
    yield started
    started.stop()


def start(pool: Pool, source: bytes) -> tuple[Worker, WorkerRequest]:
    checked = pool.check(source)
    assert checked.accepted, checked.violations
    told = Start("X", 1, 0.0, False, {}, {}, ("BTCUSDT",), Account(10_000.0), (10_000.0, 0.0, 0.0))
    return pool.spawn(checked.program, told.pack())


def call(worker: Worker, n: int) -> WorkerRequest:
    rows = struct.pack("<2d", 1.7e9 + n, 69_000.0)
    run = pack_run(rows, 1, ("BTCUSDT",), Account(10_000.0), with_symbols=False)
    return WorkerRequest(worker, Kind.CALL, run, LIMITS.tick_cpu_soft, LIMITS.tick_cpu_hard, LIMITS.wall_backstop)


def ending(answer: WorkerReply, sent: int) -> str:
    """Return how one exchange ended, in the words of the headers."""
    if answer.payload is None:
        return answer.verdict.name
    reply: BotReply = read_reply(answer.payload, sent)
    errors = [error for deeds in reply.deeds.values() for error in deeds.errors]
    if any(error.memory for error in errors):
        return Verdict.MEMORY.name
    return "error" if errors else "ok"


def played(pool: Pool, source: bytes) -> str:
    """Return the first ending that is not ok, with an honest bot beside it that misses nothing."""
    honest, first = start(pool, HONEST)
    greedy, second = start(pool, source)
    try:
        begun = gather([first, second])
        assert ending(begun[0], 0) == "ok"
        if (how := ending(begun[1], 0)) != "ok":
            return how
        for n in range(TICKS):
            answers = gather([call(honest, n), call(greedy, n)])
            assert ending(answers[0], 1) == "ok"
            assert read_reply(answers[0].payload or b"", 1).deeds[0].orders
            if (how := ending(answers[1], 1)) != "ok":
                return how
        return "ok"
    finally:
        honest.close()
        greedy.close()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_is_overdone_ends_as_it_should(pool: Pool, case: Path) -> None:
    source = case.read_bytes()
    expected = source.decode().split("# expect: ", 1)[1].split("\n", 1)[0].split()
    if expected == ["refused"]:
        assert not pool.check(source).accepted
    else:
        assert played(pool, source) in expected

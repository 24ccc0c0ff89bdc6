"""Children that stand ready: made when it is quiet, locked, each for one use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from sandbox.pool import Pool
from sandbox.process.limits import Limits
from sandbox.talk.protocol import ForkRequest, read_fork_request
from tests.arenas import until

RUNTIME = "arena.runtime.bot:BotRuntime"
SOURCE = b'NAME = "A"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick):\n    pass\n'
CROOKED = b'import os\nNAME = "A"\ndef on_tick(ctx):\n    pass\n'


@pytest.fixture
def pool() -> Iterator[Pool]:
    found = Pool(RUNTIME)
    found.start()
    found.keep_ready()
    try:
        yield found
    finally:
        found.stop()


def filled(pool: Pool) -> tuple[list[int], list[int]]:
    """Wait until both stocks are full; the process ids of readers and workers."""
    spares = pool._spares
    until(lambda: len(spares) == 6, "six children stand ready")
    readers, workers = ([order.future.result(60)[0] for order in stock] for stock in (spares._readers, spares._workers))
    return readers, workers


def test_they_are_made_again_after_they_were_taken(pool: Pool) -> None:
    first = filled(pool)
    assert pool.check(SOURCE).accepted
    worker, _ = pool.spawn(b"", b"")
    assert worker.pid == first[1][0]
    worker.close()
    second = filled(pool)
    assert set(first[0]) - set(second[0]) == {first[0][0]}
    assert set(first[1]) - set(second[1]) == {first[1][0]}


def test_a_reader_is_locked_as_every_child_is(pool: Pool) -> None:
    filled(pool)
    worker, _ = pool.spawn(b"", b"")
    worker.close()
    pool.confinement = {}
    assert pool.check(SOURCE).accepted
    assert {"rlimits", "undumpable", "no-new-privs", "seccomp", "proved"} <= set(pool.confinement["layers"])


@pytest.mark.system
@pytest.mark.parametrize("source", [SOURCE, CROOKED, b"(", b"x = 1\n"])
def test_a_reader_says_what_a_fresh_child_says(pool: Pool, bots: Pool, source: bytes) -> None:
    filled(pool)
    read, fresh = pool.check(source), bots.check(source)
    assert (read.violations, read.facts) == (fresh.violations, fresh.facts)


def test_readers_give_their_slots_to_bots_when_there_are_no_others() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: only root changes its uid")
    pool = Pool(RUNTIME, Limits(uid_base=28_200, uid_count=6))
    pool.start()
    pool.keep_ready()
    try:
        filled(pool)
        workers = [pool.spawn(b"", b"")[0] for _ in range(6)]
        assert len({worker.pid for worker in workers}) == 6
        for worker in workers:
            worker.close()
    finally:
        pool.stop()


@pytest.mark.system
def test_none_is_handed_out_that_died_with_its_zygote(pool: Pool) -> None:
    filled(pool)
    os.kill(pool.zygote_pid or 0, signal.SIGKILL)
    pool.restart_zygote()
    assert pool.check(SOURCE).accepted


@pytest.mark.parametrize("request_", [ForkRequest(7, None, reading=True), ForkRequest(2**40, 20_000, reading=False)])
def test_a_request_arrives_as_it_was_sent(request_: ForkRequest) -> None:
    assert read_fork_request(request_.pack()) == request_

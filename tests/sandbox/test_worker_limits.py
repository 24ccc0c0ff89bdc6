"""What a bot may use is limited by the server's own measurements, whatever the bot does."""

from __future__ import annotations

import signal

import pytest

from arena.runtime.wire import Where
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerRequest
from sandbox.talk.verdict import Verdict
from tests.sandbox.market import HARD, SOFT, WALL, bot, one_tick, reply, start, tick

CATCHES_ALL = """\
while True:
    try:
        while True:
            pass
    except BaseException:
        pass"""
SWALLOWS = """\
keep = []
while True:
    try:
        keep.append('x' * (1 << 24))
    except MemoryError:
        pass"""
HOG = "keep = []\nwhile True:\n    keep.append('x' * (1 << 22))"


def end_of(pool: Pool, source: bytes, *, hard: float = HARD, wall: float = WALL) -> Verdict:
    worker = start(pool, source)
    try:
        return tick(worker, hard=hard, wall=wall).verdict
    finally:
        worker.close()


def test_a_legal_bot_answers_in_time(bots: Pool) -> None:
    worker = start(bots, bot("ctx.submit_order('BTCUSDT', 'BUY', 0.5)\nctx.log('bought')"))
    (deeds,) = reply(tick(worker)).deeds.values()
    worker.close()
    assert [(order.symbol, order.size) for order in deeds.orders] == [("BTCUSDT", 0.5)]
    assert [text for _, text in deeds.logs] == ["bought"]


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    pass",
        CATCHES_ALL,
        "sum(range(10 ** 12))",
        "10 ** 10 ** 8",
        SWALLOWS,
    ],
    ids=["loop", "catches everything", "in C", "in one number", "swallows MemoryError"],
)
def test_endless_work_is_ended_by_the_cpu_clock(bots: Pool, body: str) -> None:
    assert end_of(bots, bot(body)) is Verdict.TIMEOUT


def test_work_beyond_the_soft_limit_is_too_late_but_not_the_end(bots: Pool) -> None:
    worker = start(bots, bot("for _ in range(10 if tick['time'] > 1.7e9 else 10 ** 7):\n    pass"))
    (slow,) = gather([WorkerRequest(worker, Kind.CALL, one_tick(-5), 0.001, 5.0, WALL)])
    quick = tick(worker, 1)
    worker.close()
    assert slow.verdict is Verdict.TIMEOUT
    assert quick.verdict is Verdict.OK


def test_a_memory_hog_meets_a_memory_error_and_lives(bots: Pool) -> None:
    worker = start(bots, bot(f"if tick['time'] < 1_700_000_001:\n{indented(HOG)}\nctx.log('alive')"))
    (first,) = gather([WorkerRequest(worker, Kind.CALL, one_tick(0), 5.0, 5.0, WALL)])
    second = reply(tick(worker, 1))
    worker.close()
    (error,) = reply(first).deeds[0].errors
    assert (error.where, error.kind, error.memory) == (Where.on_tick, "MemoryError", True)
    assert [text for _, text in second.deeds[0].logs] == ["alive"]


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


@pytest.mark.parametrize(
    "error", ["SystemExit(0)", "KeyboardInterrupt()", "GeneratorExit()", "StopIteration(1)",
              "MemoryError('pretended')", "BaseException('base')", "RecursionError()"],
)  # fmt: skip
def test_no_exception_ends_a_worker(bots: Pool, error: str) -> None:
    worker = start(bots, bot(f"raise {error}"))
    answers = [reply(tick(worker, index)) for index in range(3)]
    worker.close()
    assert [len(answer.deeds[0].errors) for answer in answers] == [1, 1, 1]


def test_endless_recursion_is_an_exception(bots: Pool) -> None:
    worker = start(bots, bot("deeper()", top="def deeper():\n    return deeper()\n"))
    (error,) = reply(tick(worker, soft=5.0, hard=5.0)).deeds[0].errors
    worker.close()
    assert "recursion" in error.text
    assert (error.kind, error.memory) == ("RecursionError", False)


def test_a_native_crash_quarantines(bots: Pool) -> None:
    body = "it = iter([1])\nfor _ in range(300000):\n    it = map(abs, it)\nnext(it)"
    worker = start(bots, bot(body))
    answer = tick(worker, soft=5.0, hard=5.0, wall=WALL)
    worker.close()
    assert answer.verdict is Verdict.CRASHED
    assert answer.verdict.quarantines
    assert signal.SIGSEGV.name in answer.reason


@pytest.mark.system
def test_a_source_that_never_finishes_loading_is_refused(bots: Pool) -> None:
    checked = bots.check(bot("pass", top="while True:\n    pass"))
    assert [violation["rule"] for violation in checked.violations] == ["load-limit"]


def test_a_source_that_takes_all_memory_while_loading_is_refused(bots: Pool) -> None:
    checked = bots.check(bot("pass", top="KEEP = ['x' * 100_000_000 for _ in range(50)]"))
    assert [violation["rule"] for violation in checked.violations] == ["load-failed"]


def test_one_spinning_worker_costs_twenty_honest_ones_nothing(bots: Pool) -> None:
    honest = [start(bots, bot("ctx.log('here')")) for _ in range(20)]
    spinner = start(bots, bot("while True:\n    pass"))
    try:
        (out,) = gather([WorkerRequest(spinner, Kind.CALL, one_tick(0), 1e9, 1e9, 300.0)], deadline=0.0)
        assert out.verdict is Verdict.LATE
        for index in range(5):
            asks = [WorkerRequest(worker, Kind.CALL, one_tick(index), SOFT, 1e9, WALL) for worker in honest]
            assert [answer.verdict for answer in gather(asks, busy=[spinner])] == [Verdict.OK] * 20
        assert spinner.waiting_for is not None
        assert spinner.running
    finally:
        for worker in (spinner, *honest):
            worker.close()


def test_who_misses_the_deadline_is_answered_for_without_waiting(bots: Pool) -> None:
    spinner = start(bots, bot("while True:\n    pass"))
    (answer,) = gather([WorkerRequest(spinner, Kind.CALL, one_tick(0), 1e9, 1e9, WALL)], deadline=0.05)
    spinner.close()
    assert answer.verdict is Verdict.LATE
    assert not answer.verdict.strikes


def test_a_flood_of_log_lines_is_cut_and_counted(bots: Pool) -> None:
    worker = start(bots, bot("for _ in range(10000):\n    ctx.log('x' * 500)"))
    (deeds,) = reply(tick(worker, soft=5.0, hard=5.0)).deeds.values()
    worker.close()
    assert sum(len(text) for _, text in deeds.logs) <= 4096
    assert deeds.logs_dropped + len(deeds.logs) == 10000


def test_a_flood_of_orders_is_cut_and_counted(bots: Pool) -> None:
    worker = start(bots, bot("for _ in range(5000):\n    ctx.submit_order('BTCUSDT', 'BUY', 1)"))
    (deeds,) = reply(tick(worker, soft=5.0, hard=5.0)).deeds.values()
    worker.close()
    assert len(deeds.orders) == 100
    assert len(deeds.requests) + deeds.overflow == 5000

"""Those that stand back are asked after the others, and take no CPU from them meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerReply, WorkerRequest, collect_late_reply
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.worker import Worker
from tests.arenas import until

BURN, ECHO, LONG, STALL = b'["burn", 0.2]', b'["echo", "x"]', b'["burn", 30]', b'["stall"]'
STOPPED = Ending(Verdict.LOST, "was stopped by the test")


@pytest.fixture
def pair(liars: Pool) -> Iterator[tuple[Worker, Worker]]:
    """Two workers, of which the second stands back."""
    program = liars.check(b"x = 1\n").program
    workers = [liars.spawn(program, b"")[0] for _ in range(2)]
    workers[1].demote()
    yield workers[0], workers[1]
    for worker in workers:
        worker.close()


def call(worker: Worker, payload: bytes) -> WorkerRequest:
    return WorkerRequest(worker, Kind.CALL, payload, 5.0, 40.0, 60.0)


@contextlib.contextmanager
def asking(requests: list[WorkerRequest], busy: Iterable[Worker] = ()) -> Iterator[list[WorkerReply]]:
    """Gather in another thread; the list holds the replies afterwards."""
    answers: list[WorkerReply] = []
    thread = threading.Thread(target=lambda: answers.extend(gather(requests, busy=busy)))
    thread.start()
    try:
        yield answers
    except BaseException:
        for request in requests:
            request.worker.kill(STOPPED)
        raise
    finally:
        thread.join(60)
        assert not thread.is_alive()


def state_of(worker: Worker) -> str:
    """Return the kernel's letter for what a process is at."""
    return Path(f"/proc/{worker.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def test_one_that_stands_back_is_asked_when_the_others_have_answered(pair: tuple[Worker, Worker]) -> None:
    quick, slow = pair
    answers = gather([call(slow, ECHO), call(quick, ECHO)])
    assert [answer.verdict for answer in answers] == [Verdict.OK] * 2
    assert slow.asked_at > quick.asked_at
    assert not slow.demoted


def test_where_another_turns_slow_it_is_waited_for_no_longer(pair: tuple[Worker, Worker]) -> None:
    quick, slow = pair
    with asking([call(quick, LONG), call(slow, ECHO)]) as answers:
        until(lambda: slow.asked_at and slow.waiting_for is None, "the other one has been asked, and has answered")
        assert quick.demoted
        assert quick.waiting_for is not None
        quick.kill(STOPPED)
    assert [answer.verdict for answer in answers] == [STOPPED.verdict, Verdict.OK]


def test_all_that_stand_back_are_asked_at_once(pair: tuple[Worker, Worker]) -> None:
    pair[0].demote()
    answers = gather([call(worker, ECHO) for worker in pair])
    assert [answer.verdict for answer in answers] == [Verdict.OK] * 2
    assert pair[0].asked_at == pair[1].asked_at


def test_one_whose_turn_has_not_come_by_the_deadline_is_asked_all_the_same(pair: tuple[Worker, Worker]) -> None:
    quick, slow = pair
    answers = gather([call(slow, BURN), call(quick, BURN)], deadline=0.0)
    assert [answer.verdict for answer in answers] == [Verdict.LATE] * 2
    until(lambda: collect_late_reply(call(slow, BURN)) is True, "the late answer has come")


def test_a_busy_one_that_stands_back_is_stopped_until_the_others_have_answered(pair: tuple[Worker, Worker]) -> None:
    quick, slow = pair
    slow.ask(Kind.CALL, LONG, 40.0)
    with asking([call(quick, STALL)], busy=[slow, quick]) as answers:
        until(lambda: state_of(slow) == "T", "it has been stopped")
        assert state_of(quick) != "T"
        quick.kill(STOPPED)
    assert [answer.verdict for answer in answers] == [STOPPED.verdict]
    until(lambda: state_of(slow) != "T", "it goes on")


def test_a_stopped_one_can_be_ended(pair: tuple[Worker, Worker]) -> None:
    assert pair[1].pause()
    pair[1].close()
    until(lambda: not Path(f"/proc/{pair[1].pid}").exists(), "it has ended")
    assert not pair[1].pause()


def test_an_ended_one_is_not_stopped(pair: tuple[Worker, Worker]) -> None:
    pair[1].close()
    (answer,) = gather([call(pair[0], ECHO)], busy=[pair[1]])
    assert answer.verdict is Verdict.OK

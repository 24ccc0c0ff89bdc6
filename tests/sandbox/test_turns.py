"""Turns over a shared page: answers count as over a pipe, and what a worker writes there harms nobody else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import Pool
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.talk.page_channel import PageChannel
from sandbox.talk.protocol import Kind, next_number
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest
from sandbox.talk.shared_page import ASLEEP, ROOM, can_share, new_page
from sandbox.talk.verdict import Verdict
from sandbox.talk.worker import Worker
from tests.arenas import until
from tests.sandbox.conftest import running
from tests.sandbox.market import WALL, bot, one_tick, reply, start, tick

ROOT = Path(__file__).resolve().parents[2]
SOURCE = b"x = 1\n"

pytestmark = pytest.mark.skipif(not can_share(), reason="a page is shared on x86 with two CPUs or more only")


@pytest.fixture(scope="module")
def sharers(canary: str) -> Iterator[Pool]:
    """A pool that shares a page with each of its guests, which do whatever a request names."""
    with running("tests.sandbox.guests:Liar", canary, pages=True) as pool:
        yield pool


@pytest.fixture
def turns(sharers: Pool) -> Iterator[PageChannel]:
    made = turns_with(sharers)
    yield made
    made.worker.close()


def turns_with(pool: Pool) -> PageChannel:
    worker, ask = pool.spawn(pool.check(SOURCE).program, b"")
    assert gather([ask])[0].payload == b"ready"
    assert worker.page is not None
    return PageChannel(worker, worker.page)


def asked(
    worker: Worker,
    *what: object,
    soft: float = 2.0,
    hard: float = 5.0,
    wall: float = WALL,
    expected_reply: object = None,
) -> WorkerRequest:
    expected = None if expected_reply is None else json.dumps(expected_reply).encode()
    return WorkerRequest(worker, Kind.CALL, json.dumps(what).encode(), soft, hard, wall, expected)


def say(turns: PageChannel, *what: object, **more: object) -> WorkerReply:
    return turns.ask(asked(turns.worker, *what, **more))  # type: ignore[arg-type]


def echoes(turns: PageChannel) -> bool:
    return say(turns, "echo", "still here").payload == b'"still here"'


def test_each_question_gets_its_own_answer_new_or_again(turns: PageChannel) -> None:
    words = ["a", "a", "b", "b", "b", "a", ""]
    assert [say(turns, "echo", word).payload for word in words] == [json.dumps(word).encode() for word in words]


def test_an_answer_that_is_no_news_is_known_as_such(turns: PageChannel) -> None:
    assert say(turns, "echo", "a", expected_reply="a") is REPLY_AS_EXPECTED
    assert say(turns, "echo", "a", expected_reply="a") is REPLY_AS_EXPECTED
    assert say(turns, "echo", "a", expected_reply="b").payload == b'"a"'


def go_on(turns: PageChannel, ask: WorkerRequest, words: str) -> tuple[int, WorkerReply | None]:
    """Have so many questions asked, also where an answer was long in coming, as on one CPU."""
    questions, passed = [json.dumps(["echo", word]).encode() for word in words], 0
    while True:
        more, answer = turns.repeat(ask, iter(questions[passed:]))
        passed += more
        if answer is not REPLY_AS_EXPECTED:
            return passed, answer
        passed += 1


def test_questions_are_repeated_until_an_answer_is_news(turns: PageChannel) -> None:
    ask = asked(turns.worker, "echo", "a", expected_reply="a")
    assert turns.ask(ask) is REPLY_AS_EXPECTED
    passed, answer = go_on(turns, ask, "aaaaba")
    assert (passed, answer.payload if answer else None) == (4, b'"b"')
    # What it said last is news itself.
    assert turns.repeat(ask, iter([ask.payload])) == (0, None)
    assert turns.ask(ask) is REPLY_AS_EXPECTED
    assert go_on(turns, ask, "aaaa") == (4, None)
    assert go_on(turns, ask, "") == (0, None)


@pytest.mark.parametrize("size", [ROOM // 2, ROOM - 40, ROOM, 100_000])
def test_long_questions_and_long_answers_go_through(turns: PageChannel, size: int) -> None:
    assert say(turns, "echo", "x" * size).payload == json.dumps("x" * size).encode()
    assert say(turns, "big", size).payload == b"x" * size
    assert say(turns, "big", size).payload == b"x" * size
    assert echoes(turns)


def asleep(turns: PageChannel) -> bool:
    """Say whether the worker has said that it sleeps, and does."""
    state = Path(f"/proc/{turns.worker.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    return turns._page.words[ASLEEP] == 1 and state == "S"


def test_who_fell_asleep_is_woken(turns: PageChannel) -> None:
    assert echoes(turns)
    assert echoes(turns)
    for polling in (True, False):
        if not polling:
            turns.stop_polling()
        until(lambda: asleep(turns), "the worker sleeps")
        before = turns.worker.cpu()
        assert asleep(turns)
        assert turns.worker.cpu() == before
        assert echoes(turns)


def test_pipes_serve_as_before_once_turns_are_over(turns: PageChannel) -> None:
    assert echoes(turns)
    turns.stop_polling()
    for word in ("a", "a", "b"):
        answer = gather([asked(turns.worker, "echo", word)])[0]
        assert answer.payload == json.dumps(word).encode()


@pytest.mark.system
def test_limits_of_a_tick_hold(turns: PageChannel) -> None:
    late = say(turns, "burn", 0.2, soft=0.1, hard=5.0)
    assert (late.verdict, late.payload) == (Verdict.TIMEOUT, None)
    assert echoes(turns)
    assert say(turns, "burn", 30, hard=0.2).verdict is Verdict.TIMEOUT
    assert not turns.worker.alive


def test_silence_ends_at_the_wall(turns: PageChannel) -> None:
    assert say(turns, "stall", wall=0.3).verdict is Verdict.TIMEOUT


def test_the_end_of_a_worker_is_seen(sharers: Pool) -> None:
    for what, verdict in (("leave", Verdict.EXITED), ("abort", Verdict.SECURITY), ("flood", Verdict.OUTPUT_LIMIT)):
        turns = turns_with(sharers)
        assert say(turns, what, *([7] if what == "leave" else [])).verdict is verdict
        turns.worker.close()


@pytest.mark.parametrize("times", [1, 50, 5000])
def test_a_page_scribbled_over_ends_in_a_verdict(turns: PageChannel, times: int) -> None:
    assert echoes(turns)
    answer = say(turns, "scribble", times, hard=0.5, wall=0.5)
    # By chance it may have said that its answer is the last one again.
    assert answer.verdict is Verdict.TIMEOUT or answer.payload == b'"still here"'


def test_to_answer_ahead_is_to_say_the_last_answer_again(turns: PageChannel) -> None:
    assert echoes(turns)
    first = say(turns, "foretell", next_number() + 1)
    assert first.payload == b'"still here"'
    assert say(turns, "echo", "other", wall=0.3).verdict is Verdict.TIMEOUT


def test_an_answer_that_is_not_in_the_pipe_is_silence(turns: PageChannel) -> None:
    assert say(turns, "pretend", next_number() + 1, wall=0.3).verdict is Verdict.TIMEOUT


def test_the_page_is_not_taken_away_from_under_us(turns: PageChannel) -> None:
    assert say(turns, "punch").payload == b'"Operation not permitted"'
    assert echoes(turns)


def test_one_that_never_reads_its_pipe_heaps_nothing_up(turns: PageChannel) -> None:
    assert echoes(turns)
    ask = asked(turns.worker, "doze", 10**9, expected_reply="still here")
    assert turns.ask(ask) is REPLY_AS_EXPECTED
    asked_for = 0
    while asked_for < 20_000:
        passed, answer = turns.repeat(ask, iter([ask.payload] * 1000))
        assert answer is None or answer is REPLY_AS_EXPECTED
        asked_for += passed + 1
    # More than a pipe takes, had each question been followed by a word to wake up.
    assert len(turns.worker._unsent) <= 9


def test_who_works_is_woken_once_and_who_is_asked_by_the_pipe_never(
    turns: PageChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken, wake = [], turns._wake
    monkeypatch.setattr(turns, "_wake", lambda: (woken.append(1), wake()))
    assert echoes(turns)
    turns.stop_polling()
    until(lambda: asleep(turns), "the worker sleeps")
    woken.clear()
    assert say(turns, "burn", 0.05, soft=1.0).verdict is Verdict.OK
    assert len(woken) <= 2
    woken.clear()
    assert say(turns, "burn", 0.05, "x" * ROOM, soft=1.0).verdict is Verdict.OK
    assert woken == []
    assert echoes(turns)


def test_a_worker_has_no_descriptor_to_shorten_the_page_by(turns: PageChannel) -> None:
    answer = say(turns, "shorten")
    assert answer.verdict is Verdict.SECURITY or "worked" not in json.loads(answer.payload or b'["worked"]')


def test_nobody_shortens_a_page() -> None:
    descriptor = new_page()
    try:
        for size in (0, 1 << 20):
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


UNMAPPED = """
import errno, os
from sandbox.errors import OutOfSlotsError
from sandbox.process import spawn

def refuse(descriptor):
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

spawn.SharedPage = refuse
before = sorted(os.listdir("/proc/self/fd"))
try:
    spawn.open_ends(shared=True)
except OutOfSlotsError as error:
    print(error)
assert sorted(os.listdir("/proc/self/fd")) == before
"""


def test_a_page_that_cannot_be_mapped_costs_nothing() -> None:
    """In a process of its own: in this one, others open and close descriptors meanwhile."""
    done = subprocess.run([sys.executable, "-c", UNMAPPED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Cannot allocate memory" in done.stdout


def pages_here() -> int:
    """Count this process's mappings and descriptors of shared pages."""
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8").count("/memfd:page ")
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            mapped += str(entry.readlink()).startswith("/memfd:page ")
    return mapped


def test_pages_are_given_back(sharers: Pool) -> None:
    before = pages_here()
    turns = turns_with(sharers)
    assert pages_here() > before
    for _ in range(5):
        turns.worker.close()
        turns = turns_with(sharers)
        assert echoes(turns)
    turns.worker.close()
    assert pages_here() <= before


def test_cpu_of_repeated_questions_is_charged(turns: PageChannel) -> None:
    """What a bot may use in its life is counted on, also where no question is asked by itself."""
    # Each question alone may use so little that a hundred do not use up the credit, which then begins anew.
    ask = asked(turns.worker, "echo", "a", hard=0.05, expected_reply="a")
    assert turns.ask(ask) is REPLY_AS_EXPECTED
    before = turns.worker._allowance._credit
    assert go_on(turns, ask, "a" * 100) == (100, None)
    assert turns.worker._allowance._credit < before


@pytest.mark.long  # until a process is older than its first allowance, seconds of CPU must pass
def test_an_honest_bot_grows_old_in_turns(canary: str) -> None:
    """The kernel's limit of a life is moved on before it is reached."""
    with running("tests.sandbox.guests:Liar", canary, pages=True, limits=Limits(lifetime_cpu=1)) as pool:
        turns = turns_with(pool)
        for _ in range(8):
            assert say(turns, "burn", 0.25, soft=1.0, hard=1.0).verdict is Verdict.OK
        ask = asked(turns.worker, "echo", "a", hard=0.1, expected_reply="a")
        assert turns.ask(ask) is REPLY_AS_EXPECTED
        # Past any limit that was set before: two lives and one request's worst beyond what had been used then.
        ends = turns.worker.cpu() + 4.0
        while turns.worker.cpu() < ends:
            assert go_on(turns, ask, "a" * 1000) == (1000, None)
        turns.worker.close()


DEEP = """
def deep(level):
    try:
        return deep(level + 1)
    except RecursionError:
        return level
"""


def test_a_bot_can_call_as_deep_over_the_page_as_over_the_pipe(canary: str) -> None:
    with running("arena.runtime.bot:BotRuntime", canary, pages=True) as pool:
        workers = [start(pool, bot("ctx.log(str(deep(0)))", DEEP)) for _ in range(2)]
        page = workers[0].page
        assert page is not None
        ask = WorkerRequest(workers[0], Kind.CALL, one_tick(0), 5.0, 5.0, WALL)
        answers = [
            PageChannel(workers[0], page).ask(ask),
            tick(workers[0], 1, soft=5.0, hard=5.0),
            tick(workers[1], soft=5.0, hard=5.0),
        ]
        logs = [text for answer in answers for _, text in reply(answer).deeds[0].logs]
        for worker in workers:
            worker.close()
    assert len(logs) == len(answers)
    assert set(logs) == {logs[0]}

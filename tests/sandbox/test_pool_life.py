"""Pools give back what they take, and leave no process behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.errors import OutOfSlotsError, SandboxUnavailableError, ZygoteDiedError
from sandbox.pool import Pool
from sandbox.process.launch import ZygoteLaunch
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerReply, WorkerRequest
from sandbox.talk.verdict import Verdict
from sandbox.talk.worker import Worker
from tests.arenas import until

SOURCE = b"x = 1\n"
ROOT = Path(__file__).resolve().parents[2]
# Of our own version, because it is given our packages.
DISTRO_PYTHON = Path(f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}")
RUNTIME = "tests.sandbox.guests:Liar"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root changes its uid")


def uid_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    raise AssertionError("a process without a uid")


def gone(handles: list[int]) -> bool:
    """Wait for processes to end, by the kernel's own word."""
    waiting = select.poll()
    for handle in handles:
        waiting.register(handle, select.POLLIN)
    left = set(handles)
    while left:
        ended = {handle for handle, _ in waiting.poll(60_000)} & left
        if not ended:
            return False
        for handle in ended:
            waiting.unregister(handle)
        left -= ended
    for handle in handles:
        os.close(handle)
    return True


def started(pool: Pool, count: int) -> list[Worker]:
    program = pool.check(SOURCE).program
    both = [pool.spawn(program, b"") for _ in range(count)]
    answers = gather([ask for _, ask in both])
    assert [answer.verdict for answer in answers] == [Verdict.OK] * count
    return [worker for worker, _ in both]


def test_stopping_a_pool_leaves_no_process() -> None:
    pool = Pool(RUNTIME)
    pool.start()
    pids = [worker.pid for worker in started(pool, 5)]
    handles = [os.pidfd_open(pid) for pid in (*pids, pool.zygote_pid)]
    pool.stop()
    assert gone(handles)
    assert pool.zygote_pid is None


def test_a_zygote_that_was_begun_early_learns_its_limits_late() -> None:
    pool = Pool(RUNTIME, Limits(nice=3), begun=ZygoteLaunch(RUNTIME))
    pool.start()
    try:
        (worker,) = started(pool, 1)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, worker.pid) == min(own + 3, 19)
    finally:
        pool.stop()


def test_a_zygote_that_nobody_takes_ends_with_whoever_began_it() -> None:
    code = f"from sandbox.process.launch import ZygoteLaunch as L; print(L({RUNTIME!r})._process.pid, flush=True)"
    begun = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    try:
        handle = os.pidfd_open(int(begun.stdout))
    except ProcessLookupError:
        return
    assert gone([handle])


@pytest.mark.system
def test_when_the_zygote_dies_its_workers_die_and_a_new_one_serves() -> None:
    deaths: list[bool] = []
    pool = Pool(RUNTIME, on_zygote_death=lambda: deaths.append(True))
    pool.start()
    try:
        workers = started(pool, 3)
        handles = [os.pidfd_open(worker.pid) for worker in workers]
        os.kill(pool.zygote_pid or 0, signal.SIGKILL)
        assert gone(handles)
        ends = gather([WorkerRequest(worker, Kind.CALL, b'["echo", "x"]', 0.1, 1.0, 60.0) for worker in workers])
        assert {answer.payload for answer in ends} == {None}
        for worker in workers:
            worker.close()
        pool.restart_zygote()
        (again,) = started(pool, 1)
        again.close()
        assert deaths == [True]
    finally:
        pool.stop()


def test_a_pool_whose_zygote_is_dead_says_so() -> None:
    pool = Pool(RUNTIME)
    pool.start()
    zygote = os.pidfd_open(pool.zygote_pid or 0)
    os.kill(pool.zygote_pid or 0, signal.SIGKILL)
    assert gone([zygote])
    with pytest.raises(ZygoteDiedError):
        pool.check(SOURCE)
    pool.stop()


def test_a_pool_that_was_stopped_says_so() -> None:
    pool = Pool(RUNTIME)
    pool.start()
    pool.stop()
    with pytest.raises(ZygoteDiedError):
        pool.spawn(b"", b"")


def burn(pool: Pool, seconds: float, times: int) -> WorkerReply:
    """Let a worker use CPU time within its limits, and return its last answer."""
    worker, _ = pool.spawn(b"", b"")
    try:
        for _ in range(times):
            ask = WorkerRequest(worker, Kind.CALL, json.dumps(["burn", seconds]).encode(), 5.0, 5.0, 60.0)
            (answer,) = gather([ask])
        return answer
    finally:
        worker.close()


@pytest.mark.system
def test_an_honest_bot_outlives_its_first_cpu_allowance() -> None:
    pool = Pool(RUNTIME, Limits(lifetime_cpu=1))
    pool.start()
    try:
        assert burn(pool, 0.25, 6).verdict is Verdict.OK
    finally:
        pool.stop()


def scheduling_after_a_soft_miss() -> tuple[int, int]:
    """Return a worker's policy before it used too much CPU once, and after it answered in time again."""
    pool = Pool(RUNTIME)
    pool.start()
    try:
        worker, _ = pool.spawn(b"", b"")
        before = os.sched_getscheduler(worker.pid)
        gather([WorkerRequest(worker, Kind.CALL, b'["burn", 0.2]', 0.01, 5.0, 60.0)])
        gather([WorkerRequest(worker, Kind.CALL, b'["echo", "x"]', 5.0, 5.0, 60.0)])
        after = os.sched_getscheduler(worker.pid)
        worker.close()
        return before, after
    finally:
        pool.stop()


@as_root
def test_a_worker_that_was_too_slow_stands_back_until_it_is_in_time_again(liars: Pool) -> None:
    worker, _ = liars.spawn(b"", b"")
    policies = []
    for call, soft in ((b'["burn", 0.2]', 0.01), (b'["burn", 0.2]', 0.01), (b'["echo", "x"]', 5.0)):
        gather([WorkerRequest(worker, Kind.CALL, call, soft, 5.0, 60.0)])
        policies.append(os.sched_getscheduler(worker.pid))
    worker.close()
    assert policies == [os.SCHED_IDLE, os.SCHED_IDLE, os.SCHED_OTHER]


@pytest.mark.system
def test_a_soft_miss_leaves_no_mark_on_the_scheduling() -> None:
    before, after = scheduling_after_a_soft_miss()
    assert before == after


@pytest.mark.system
@as_root
@pytest.mark.skipif(not DISTRO_PYTHON.exists(), reason="no Python that another user may read")
def test_a_soft_miss_leaves_no_mark_where_the_server_is_an_ordinary_user() -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, *sys.argv[1:]]; "
        "from tests.sandbox.test_pool_life import scheduling_after_a_soft_miss as run; print(*run())"
    )
    done = subprocess.run(
        [str(DISTRO_PYTHON), "-s", "-P", "-B", "-c", code, *sys.path], cwd="/", check=False,
        env={"LANG": "C.UTF-8"}, user=65534, group=65534, extra_groups=[],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.split()
    assert before == after


@as_root
def test_every_worker_has_a_uid_of_its_own(liars: Pool) -> None:
    workers = started(liars, 8)
    uids = [uid_of(worker.pid) for worker in workers]
    for worker in workers:
        worker.close()
    assert len(set(uids)) == 8
    assert all(uid >= liars.limits.uid_base for uid in uids)


@as_root
def test_uids_run_out_and_are_given_back() -> None:
    pool = Pool(RUNTIME, Limits(uid_base=28_000, uid_count=3))
    pool.start()
    try:
        program = pool.check(SOURCE).program
        workers = [pool.spawn(program, b"")[0] for _ in range(3)]
        with pytest.raises(OutOfSlotsError):
            pool.spawn(program, b"")
        workers.pop().close()
        again, _ = pool.spawn(program, b"")
        for worker in (*workers, again):
            worker.close()
    finally:
        pool.stop()


@as_root
def test_a_host_without_a_free_uid_is_refused_in_words() -> None:
    with pytest.raises(SandboxUnavailableError, match="SANDBOX_UID_BASE"):
        Pool(RUNTIME, Limits(uid_base=2**32 - 2, uid_count=0)).start()


def test_closing_a_worker_twice_is_harmless(liars: Pool) -> None:
    (worker,) = started(liars, 1)
    worker.close()
    worker.close()


def test_finished_checks_leave_nothing_in_the_books(liars: Pool) -> None:
    for _ in range(20):
        assert liars.check(SOURCE).accepted
    until(lambda: not liars._early_exits, "what is still on its way has come")


def test_a_guest_that_does_not_exist_is_refused_in_words() -> None:
    pool = Pool("tests.sandbox.guests:Nobody")
    with pytest.raises(SandboxUnavailableError, match="did not come up"):
        pool.start()
    pool.stop()


def test_a_child_that_ends_while_it_stands_ready_is_given_to_nobody() -> None:
    pool = Pool(RUNTIME)
    pool.start()
    try:
        program = pool.check(SOURCE).program
        for order in list(pool._spares._workers):
            pid, _ = order.future.result(timeout=60)
            handle = os.pidfd_open(pid)
            os.kill(pid, signal.SIGKILL)
            assert gone([handle])
        both = [pool.spawn(program, b"") for _ in range(4)]
        answers = gather([ask for _, ask in both])
        assert [answer.verdict for answer in answers] == [Verdict.OK] * 4
    finally:
        pool.stop()


def test_a_child_is_used_once(liars: Pool) -> None:
    pids = [worker.pid for worker in started(liars, 6)]
    assert len(set(pids)) == 6


def test_children_that_stand_ready_take_no_slot_from_a_bot() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: only root changes its uid")
    pool = Pool(RUNTIME, Limits(uid_base=28_100, uid_count=2))
    pool.start()
    try:
        assert len(started(pool, 2)) == 2
    finally:
        pool.stop()

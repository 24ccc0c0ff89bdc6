"""A handle reaches its own process or none, with a descriptor kept or without."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import OutOfSlotsError
from sandbox.process import handle as handles
from sandbox.process.handle import ProcessHandle
from sandbox.process.spawn import PipeEnds, open_ends


@pytest.fixture(params=["kept", "numbered"], autouse=True)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Play both kinds of kernel, where this one can."""
    wanted = request.param == "numbered"
    if wanted and not handles._are_numbered():
        pytest.skip("this kernel has no numbered pidfds (Linux 6.9)")
    monkeypatch.setattr(handles, "_are_numbered", lambda: wanted)
    return str(request.param)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "300"]) as process:
        yield process
        process.kill()


def handle_of(process: subprocess.Popen[bytes]) -> ProcessHandle:
    return ProcessHandle(process.pid, os.pidfd_open(process.pid))


def test_it_says_whether_its_process_runs_and_ends_it(sleeper: subprocess.Popen[bytes]) -> None:
    handle = handle_of(sleeper)
    assert handle.running
    handle.signal(signal.SIGKILL)
    assert sleeper.wait(timeout=60) == -signal.SIGKILL
    assert not handle.running
    handle.signal(signal.SIGKILL)
    handle.close()


def test_one_that_has_ended_and_has_not_been_reaped_does_not_run(sleeper: subprocess.Popen[bytes]) -> None:
    handle, ended = handle_of(sleeper), os.pidfd_open(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    assert select.select([ended], [], [], 60)[0]
    os.close(ended)
    assert not handle.running
    handle.signal(signal.SIGKILL)
    handle.close()


def test_a_stranger_with_the_same_number_is_spared(sleeper: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(["true"]) as gone:
        handle = handle_of(gone)
    # As if the kernel had given the number to another process meanwhile.
    handle._pid = sleeper.pid
    assert not handle.running
    handle.signal(signal.SIGKILL)
    handle.close()
    assert sleeper.poll() is None


def test_numbers_cost_no_descriptor(kernel: str, sleeper: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(sleeper.pid)

    def still_open() -> bool:
        # Another thread may have been given the number meanwhile.
        with contextlib.suppress(FileNotFoundError):
            told = Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii").split()
            return "Pid:" in told and told[told.index("Pid:") + 1] == str(sleeper.pid)
        return False

    assert still_open()
    handle = ProcessHandle(sleeper.pid, pidfd)
    assert still_open() is (kernel == "kept")
    handle.close()
    assert not still_open()


def use_up(opened: list[PipeEnds], *, shared: bool) -> None:
    while True:
        opened.append(open_ends(shared=shared))


@pytest.mark.parametrize("shared", [False, True])
def test_workers_leave_descriptors_to_others(*, shared: bool) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened: list[PipeEnds] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
    try:
        with pytest.raises(OutOfSlotsError, match="limit of 400 open descriptors is near"):
            use_up(opened, shared=shared)
        # Their own descriptors, which no other thread opens: none is among the last hundred numbers.
        assert max(max(ends.down, ends.up, *ends.theirs) for ends in opened) < 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for ends in opened:
            ends.close_theirs()
            ends.close()

"""Forbidden acts that Python itself offers: files, programs, processes, network, descriptors."""

from __future__ import annotations

import _thread
import importlib
import os
import resource
import select
import signal
import socket
import time
from pathlib import Path

from sandbox.doctor.targets import ForbiddenAct, Targets

# What `multiprocessing.shared_memory` is made of; no type stubs know it.
_SHM = importlib.import_module("_posixshmem")
_HOG = 600 * 1024 * 1024


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        data = os.read(descriptor, 16)
    finally:
        os.close(descriptor)
    if not data:
        raise OSError(0, "nothing to read")
    return data


def _write(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | flags, 0o600)
    os.write(descriptor, b"x")
    os.close(descriptor)


def _create(targets: Targets) -> None:
    path = targets.folder / f"made-{os.getpid()}"
    _write(path, os.O_CREAT | os.O_EXCL)
    path.unlink()


def _run_program(_: Targets) -> None:
    # The program speaks for itself: after a successful exec nothing of this process is left.
    os.execv("/bin/sh", ["sh", "-c", "echo worked"])  # noqa: S606 - the act under examination


def _fork(_: Targets) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _thread_start(_: Targets) -> None:
    lock = _thread.allocate_lock()
    lock.acquire()
    _thread.start_new_thread(lock.release, ())
    if not lock.acquire(timeout=1):
        raise TimeoutError


def _connect_tcp(targets: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(("127.0.0.1", targets.tcp_port))


def _send_udp(targets: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", targets.udp_port))


def _connect_unix(targets: Targets) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(targets.abstract_name)


def _listen(_: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)


def _socket_pair(_: Targets) -> None:
    for end in socket.socketpair():
        end.close()


def _sibling_memory(targets: Targets) -> None:
    descriptor = os.open(f"/proc/{targets.sibling}/mem", os.O_RDONLY)
    if os.pread(descriptor, 7, targets.sibling_address) != b"sibling":
        raise OSError(0, "something else was there")


def _shared_memory(_: Targets) -> None:
    name = f"/arena-doctor-{os.getpid()}"
    descriptor = _SHM.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)
    _SHM.shm_unlink(name)
    os.close(descriptor)


def _hog(_: Targets) -> None:
    # Of zeroes that nobody touches: the control takes no memory from the host.
    bytes(_HOG)


def _spin(targets: Targets) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGXCPU})
    end = time.process_time() + targets.spin
    while time.process_time() < end:
        pass


def _exhaust(_: Targets) -> None:
    for _unused in range(100):
        os.pipe()


def _raise_limit(_: Targets) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _read_leaked(targets: Targets) -> None:
    if not os.pread(targets.leaked_read, 4, 0):
        raise OSError(0, "nothing to read")


ACTS = (
    ForbiddenAct("read a file", lambda targets: _read(targets.secret)),
    ForbiddenAct("write a file", lambda targets: _write(Path(targets.secret), 0)),
    ForbiddenAct("create a file", _create),
    ForbiddenAct("list a folder", lambda targets: list(targets.folder.iterdir())),
    ForbiddenAct("stat a file", lambda targets: Path(targets.secret).stat()),
    ForbiddenAct("rename a file", lambda targets: Path(targets.secret).rename(targets.secret)),
    ForbiddenAct("change the folder", lambda _: os.chdir("/")),
    ForbiddenAct("change the root", lambda _: os.chroot("/")),
    ForbiddenAct("open /dev/mem", lambda _: os.close(os.open("/dev/mem", os.O_RDONLY))),
    ForbiddenAct("run a program", _run_program),
    ForbiddenAct("fork", _fork),
    ForbiddenAct("start a thread", _thread_start),
    ForbiddenAct("signal the parent", lambda targets: os.kill(targets.parent, 0)),
    ForbiddenAct("signal a sibling", lambda targets: os.kill(targets.sibling, signal.SIGCONT)),
    ForbiddenAct("signal its group", lambda _: os.killpg(0, signal.SIGCONT)),
    ForbiddenAct("set a signal handler", lambda _: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    ForbiddenAct("set an alarm", lambda _: signal.setitimer(signal.ITIMER_REAL, 60)),
    ForbiddenAct("read a sibling's memory by /proc", _sibling_memory),
    ForbiddenAct("read a sibling's environment", lambda targets: _read(f"/proc/{targets.sibling}/environ")),
    ForbiddenAct("read the parent's environment", lambda targets: _read(f"/proc/{targets.parent}/environ")),
    ForbiddenAct("connect by TCP", _connect_tcp),
    ForbiddenAct("send by UDP", _send_udp),
    ForbiddenAct("connect to an abstract socket", _connect_unix),
    ForbiddenAct("listen on a port", _listen),
    ForbiddenAct("make a socket pair", _socket_pair),
    ForbiddenAct("make shared memory", _shared_memory),
    ForbiddenAct("allocate 600 MB", _hog),
    ForbiddenAct("spin", _spin),
    ForbiddenAct("duplicate a descriptor", lambda _: os.dup(1)),
    ForbiddenAct("exhaust descriptors", _exhaust),
    ForbiddenAct("poll with epoll", lambda _: select.epoll().close()),
    ForbiddenAct("write to descriptor 2", lambda _: os.write(2, b"x")),
    ForbiddenAct("write to a second descriptor", lambda targets: os.write(targets.leaked_write, b"x")),
    ForbiddenAct("read a leaked descriptor", _read_leaked),
    ForbiddenAct("raise a resource limit", _raise_limit),
    ForbiddenAct("choose its processors", lambda _: os.sched_setaffinity(0, range(os.cpu_count() or 1))),
    ForbiddenAct("change its scheduling", lambda _: os.sched_setscheduler(
        0, os.SCHED_BATCH, os.sched_param(0))),
    ForbiddenAct("become root", lambda _: os.setresuid(0, 0, 0)),
)  # fmt: skip

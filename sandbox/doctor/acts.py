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

from sandbox.doctor.scene import Act, Scene

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


def _create(scene: Scene) -> None:
    path = scene.folder / f"made-{os.getpid()}"
    _write(path, os.O_CREAT | os.O_EXCL)
    path.unlink()


def _run_program(_: Scene) -> None:
    # The program speaks for itself: after a successful exec nothing of this process is left.
    os.execv("/bin/sh", ["sh", "-c", "echo worked"])  # noqa: S606 - the act under examination


def _fork(_: Scene) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _thread_start(_: Scene) -> None:
    lock = _thread.allocate_lock()
    lock.acquire()
    _thread.start_new_thread(lock.release, ())
    if not lock.acquire(timeout=1):
        raise TimeoutError


def _connect_tcp(scene: Scene) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(("127.0.0.1", scene.tcp_port))


def _send_udp(scene: Scene) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", scene.udp_port))


def _connect_unix(scene: Scene) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(scene.abstract_name)


def _listen(_: Scene) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)


def _socket_pair(_: Scene) -> None:
    for end in socket.socketpair():
        end.close()


def _sibling_memory(scene: Scene) -> None:
    descriptor = os.open(f"/proc/{scene.sibling}/mem", os.O_RDONLY)
    if os.pread(descriptor, 7, scene.sibling_address) != b"sibling":
        raise OSError(0, "something else was there")


def _shared_memory(_: Scene) -> None:
    name = f"/arena-doctor-{os.getpid()}"
    descriptor = _SHM.shm_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)
    _SHM.shm_unlink(name)
    os.close(descriptor)


def _hog(_: Scene) -> None:
    # Of zeroes that nobody touches: the control takes no memory from the host.
    bytes(_HOG)


def _spin(scene: Scene) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGXCPU})
    end = time.process_time() + scene.spin
    while time.process_time() < end:
        pass


def _exhaust(_: Scene) -> None:
    for _unused in range(100):
        os.pipe()


def _raise_limit(_: Scene) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _read_leaked(scene: Scene) -> None:
    if not os.pread(scene.leaked_read, 4, 0):
        raise OSError(0, "nothing to read")


ACTS = (
    Act("read a file", lambda scene: _read(scene.secret)),
    Act("write a file", lambda scene: _write(Path(scene.secret), 0)),
    Act("create a file", _create),
    Act("list a folder", lambda scene: list(scene.folder.iterdir())),
    Act("stat a file", lambda scene: Path(scene.secret).stat()),
    Act("rename a file", lambda scene: Path(scene.secret).rename(scene.secret)),
    Act("change the folder", lambda _: os.chdir("/")),
    Act("change the root", lambda _: os.chroot("/")),
    Act("open /dev/mem", lambda _: os.close(os.open("/dev/mem", os.O_RDONLY))),
    Act("run a program", _run_program),
    Act("fork", _fork),
    Act("start a thread", _thread_start),
    Act("signal the parent", lambda scene: os.kill(scene.parent, 0)),
    Act("signal a sibling", lambda scene: os.kill(scene.sibling, signal.SIGCONT)),
    Act("signal its group", lambda _: os.killpg(0, signal.SIGCONT)),
    Act("set a signal handler", lambda _: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
    Act("set an alarm", lambda _: signal.setitimer(signal.ITIMER_REAL, 60)),
    Act("read a sibling's memory by /proc", _sibling_memory),
    Act("read a sibling's environment", lambda scene: _read(f"/proc/{scene.sibling}/environ")),
    Act("read the parent's environment", lambda scene: _read(f"/proc/{scene.parent}/environ")),
    Act("connect by TCP", _connect_tcp),
    Act("send by UDP", _send_udp),
    Act("connect to an abstract socket", _connect_unix),
    Act("listen on a port", _listen),
    Act("make a socket pair", _socket_pair),
    Act("make shared memory", _shared_memory),
    Act("allocate 600 MB", _hog),
    Act("spin", _spin),
    Act("duplicate a descriptor", lambda _: os.dup(1)),
    Act("exhaust descriptors", _exhaust),
    Act("poll with epoll", lambda _: select.epoll().close()),
    Act("write to descriptor 2", lambda _: os.write(2, b"x")),
    Act("write to a second descriptor", lambda scene: os.write(scene.leaked_write, b"x")),
    Act("read a leaked descriptor", _read_leaked),
    Act("raise a resource limit", _raise_limit),
    Act("choose its processors", lambda _: os.sched_setaffinity(0, range(os.cpu_count() or 1))),
    Act("change its scheduling", lambda _: os.sched_setscheduler(
        0, os.SCHED_BATCH, os.sched_param(0))),
    Act("become root", lambda _: os.setresuid(0, 0, 0)),
)  # fmt: skip

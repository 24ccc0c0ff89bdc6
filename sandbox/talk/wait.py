"""The one way to wait for workers: poll their pipes, send the rest of a request, receive, and kill who is overdue.

Only the server's own measurements decide: the kernel's CPU clock, the wall clock, the exit status.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Generic, TypeVar

from sandbox.talk.protocol import Frame
from sandbox.talk.request import WorkerReply, WorkerRequest, check_clock, reply_of
from sandbox.talk.verdict import Ending
from sandbox.talk.worker import Worker

Key = TypeVar("Key")

# Seconds between two readings of the CPU clocks of those that have not answered.
CLOCK_INTERVAL = 0.02


class WorkerSelector(Generic[Key]):
    """Open requests by worker; the key of each comes back with its reply.

    With `demotes`, who is slow over a tick is scheduled behind the others (see `request.demote_if_slow`).
    """

    def __init__(self, *, demotes: bool = False) -> None:
        self._poll = select.epoll()
        self._demotes = demotes
        self._open: dict[int, tuple[Key, WorkerRequest]] = {}
        self._registered: dict[int, Worker] = {}
        self._writing: dict[int, Worker] = {}
        self._checked = time.monotonic()

    def __enter__(self) -> WorkerSelector[Key]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._poll.close()

    def __bool__(self) -> bool:
        return bool(self._open)

    def ask(self, key: Key, request: WorkerRequest) -> None:
        """Send a request and watch for its reply."""
        request.worker.ask(request.kind, request.payload, request.hard)
        self.watch(key, request)

    def watch(self, key: Key, request: WorkerRequest) -> None:
        """Expect the reply to a request that has been sent, or as much of it as the pipe took."""
        worker = request.worker
        descriptor = worker.fileno()
        if self._registered.get(descriptor) is not worker:
            self._poll.register(descriptor, select.EPOLLIN)
            self._registered[descriptor] = worker
        self._open[descriptor] = (key, request)
        if worker.unsent and self._writing.get(worker.down_fileno) is not worker:
            self._writing[worker.down_fileno] = worker
            self._poll.register(worker.down_fileno, select.EPOLLOUT)

    def forget(self, worker: Worker) -> None:
        """Expect nothing more of a worker, whether it is closed already or not."""
        descriptor = worker.fileno()
        if self._registered.get(descriptor) is worker:
            del self._registered[descriptor]
            self._open.pop(descriptor, None)
            self._unregister(descriptor)
        if self._writing.get(worker.down_fileno) is worker:
            self._stop_writing(worker)

    def turn(self, wait: float = CLOCK_INTERVAL) -> list[tuple[Key, WorkerReply]]:
        """Wait for at most so many seconds and return what has been answered."""
        return [(key, reply_of(request, got, now)) for key, request, got, now in self.receive(wait)]

    def receive(self, wait: float = CLOCK_INTERVAL) -> list[tuple[Key, WorkerRequest, Frame | Ending, float]]:
        """Wait for at most so many seconds and return what has come, not yet evaluated, and when."""
        found = []
        ready = self._poll.poll(max(0.0, wait))
        now = time.monotonic()
        for descriptor, _ in ready:
            writer = self._writing.get(descriptor)
            if writer is not None:
                writer.flush()
                if not writer.unsent:
                    self._stop_writing(writer)
                continue
            received = self._read(descriptor)
            if received is not None:
                found.append((*received, now))
        if now - self._checked >= CLOCK_INTERVAL:
            self._checked = now
            check_clocks((request for _, request in self._open.values()), now, demotes=self._demotes)
        return found

    def _read(self, descriptor: int) -> tuple[Key, WorkerRequest, Frame | Ending] | None:
        worker = self._registered[descriptor]
        got = worker.receive()
        if got is None:
            return None
        opened = self._open.pop(descriptor, None)
        if isinstance(got, Ending):
            # Also where it ended unasked: its pipe would stay readable for ever.
            self.forget(worker)
        return None if opened is None else (*opened, got)

    def _stop_writing(self, worker: Worker) -> None:
        del self._writing[worker.down_fileno]
        self._unregister(worker.down_fileno)

    def _unregister(self, descriptor: int) -> None:
        # The kernel has dropped it where the worker is closed.
        with contextlib.suppress(OSError):
            self._poll.unregister(descriptor)


def check_clocks(requests: Iterable[WorkerRequest], now: float, *, demotes: bool = False) -> None:
    """Kill the overdue among workers that have not answered, and demote the slow where that is wanted."""
    for request in requests:
        check_clock(request, now, demotes=demotes)


def look_for_reply(request: WorkerRequest) -> Frame | Ending | None:
    """Return what has come of a request that has been sent, without waiting; kill the worker if it is overdue."""
    request.worker.flush()
    got = request.worker.receive()
    if got is None:
        check_clock(request, time.monotonic())
    return got


def wait_for_reply(request: WorkerRequest) -> Frame | Ending:
    """Wait until a request that has been sent is answered, or its worker has ended or been killed as overdue."""
    with WorkerSelector[None]() as selector:
        selector.watch(None, request)
        while True:
            for _, _, got, _ in selector.receive():
                return got

"""Keeps many workers busy, each at its own pace: who has answered is asked again at once.

The barrier waits for all, as a live tick must; a replay has no clock that the bots share. Verdicts are
the barrier's: only the kernel's CPU clock, the wall clock and the exit status count.
"""

from __future__ import annotations

import contextlib
import select
import time
from types import TracebackType
from typing import Generic, TypeVar

from sandbox.talk.request import WorkerReply, WorkerRequest, end_if_overdue, evaluate_reply
from sandbox.talk.verdict import Ending
from sandbox.talk.worker import Worker

Key = TypeVar("Key")

_SLICE = 0.02


class WorkerSelector(Generic[Key]):
    """Open requests by worker; the key of each comes back with its answer."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._open: dict[int, tuple[Key, WorkerRequest]] = {}
        self._known: dict[int, Worker] = {}
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

    def ask(self, key: Key, ask: WorkerRequest) -> None:
        """Send a request; its answer comes out of `turn`."""
        worker = ask.worker
        descriptor = worker.fileno()
        if self._known.get(descriptor) is not worker:
            self._poll.register(descriptor, select.EPOLLIN)
            self._known[descriptor] = worker
        self._open[descriptor] = (key, ask)
        worker.ask(ask.kind, ask.payload, ask.hard)
        if worker.unsent:
            self._writing[worker.down_fileno] = worker
            self._poll.register(worker.down_fileno, select.EPOLLOUT)

    def forget(self, worker: Worker) -> None:
        """Expect nothing more of a worker, whether it is closed already or not."""
        descriptor = worker.fileno()
        if self._known.get(descriptor) is worker:
            del self._known[descriptor]
            self._open.pop(descriptor, None)
            self._unregister(descriptor)
        if self._writing.get(worker.down_fileno) is worker:
            self._stop_writing(worker)

    def turn(self) -> list[tuple[Key, WorkerReply]]:
        """Wait a little and return what has been answered."""
        found = []
        ready = self._poll.poll(_SLICE)
        now = time.monotonic()
        for descriptor, _ in ready:
            if descriptor in self._writing:
                self._write_more(self._writing[descriptor])
                continue
            answered = self._read(descriptor, now)
            if answered is not None:
                found.append(answered)
        if now - self._checked >= _SLICE:
            self._checked = now
            for _, ask in self._open.values():
                end_if_overdue(ask, now)
        return found

    def _write_more(self, worker: Worker) -> None:
        worker.flush()
        if not worker.unsent:
            self._stop_writing(worker)

    def _stop_writing(self, worker: Worker) -> None:
        del self._writing[worker.down_fileno]
        self._unregister(worker.down_fileno)

    def _unregister(self, descriptor: int) -> None:
        # The kernel has dropped it where the worker is closed.
        with contextlib.suppress(OSError):
            self._poll.unregister(descriptor)

    def _read(self, descriptor: int, now: float) -> tuple[Key, WorkerReply] | None:
        worker = self._known[descriptor]
        got = worker.receive()
        if got is None:
            return None
        opened = self._open.pop(descriptor, None)
        if isinstance(got, Ending):
            # Also where it ended unasked: its pipe would stay readable for ever.
            self.forget(worker)
            return None if opened is None else (opened[0], WorkerReply(got.verdict, None, got.reason, 0.0))
        if opened is None:
            return None
        return opened[0], evaluate_reply(opened[1], got, now)

"""Asks many workers at once and gathers what they answer by one deadline.

Blocking and single-threaded on purpose: the tick runs outside any event loop. Only the parent's own
measurements decide: the kernel's CPU clock, the wall clock, the exit status.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.protocol import Frame, Kind
from sandbox.verdict import Ending, Verdict
from sandbox.worker import Worker

_SLICE = 0.02


@dataclass(slots=True)
class Ask:
    """One request: CPU seconds beyond `soft` make a late answer, beyond `hard` the end."""

    worker: Worker
    kind: Kind
    payload: bytes
    soft: float
    hard: float
    wall: float = 30.0


@dataclass(slots=True)
class Answer:
    """What came of a request; `payload` is hostile bytes, None unless the verdict is OK."""

    verdict: Verdict
    payload: bytes | None
    reason: str
    cpu: float


_EXPECTED = {Kind.CALL: Kind.REPLY, Kind.START: Kind.STARTED, Kind.CHECK: Kind.CHECKED}


def gather(asks: Sequence[Ask], deadline: float | None = None) -> list[Answer]:
    """Send every request and return the answers in order; `deadline` is seconds of wall time.

    Without a deadline each request may take until its CPU or its own wall limit.
    """
    round_ = _Round(asks)
    end = None if deadline is None else time.monotonic() + deadline
    while round_.open:
        now = time.monotonic()
        if end is not None and now >= end:
            round_.call_time()
            break
        wait = _SLICE if end is None else min(_SLICE, end - now)
        round_.turn(wait)
    return [round_.answers[index] for index in range(len(asks))]


class _Round:
    def __init__(self, asks: Sequence[Ask]) -> None:
        self.asks = asks
        self.answers: dict[int, Answer] = {}
        self.open: dict[int, int] = {}
        self._writers: dict[int, int] = {}
        self._poll = select.epoll()
        self._demoted: set[int] = set()
        self._checked = time.monotonic()
        for index, ask in enumerate(asks):
            ask.worker.ask(ask.kind, ask.payload)
            self.open[ask.worker.fileno()] = index
            self._poll.register(ask.worker.fileno(), select.EPOLLIN)
            if ask.worker.unsent:
                self._watch_writer(index)

    def _watch_writer(self, index: int) -> None:
        descriptor = self.asks[index].worker.down_fileno
        self._writers[descriptor] = index
        self._poll.register(descriptor, select.EPOLLOUT)

    def turn(self, wait: float) -> None:
        """Wait a little, take what has come, and look at the clocks of the others."""
        for descriptor, _ in self._poll.poll(wait):
            writer = self._writers.get(descriptor)
            if writer is not None:
                self._write_more(descriptor, writer)
            elif descriptor in self.open:
                self._read(self.open[descriptor])
        now = time.monotonic()
        if now - self._checked >= _SLICE:
            self._checked = now
            for index in list(self.open.values()):
                self._check_clock(index, now)

    def _write_more(self, descriptor: int, index: int) -> None:
        worker = self.asks[index].worker
        worker.flush()
        if not worker.unsent:
            del self._writers[descriptor]
            self._poll.unregister(descriptor)

    def _read(self, index: int) -> None:
        ask = self.asks[index]
        got = ask.worker.receive()
        if isinstance(got, Ending):
            self._close(index, Answer(got.verdict, None, got.reason, 0.0))
        elif got is not None:
            self._close(index, self._judge(ask, got))

    def _judge(self, ask: Ask, frame: Frame) -> Answer:
        # Less wall time than the soft limit cannot hold more CPU time: the usual case costs nothing.
        brief = time.monotonic() - ask.worker.asked_at <= ask.soft
        used = 0.0 if brief else ask.worker.cpu_since_asked()
        if frame.kind is not _EXPECTED[ask.kind]:
            ending = Ending(Verdict.PROTOCOL_ERROR, f"answered with a {frame.kind.name} frame")
            ask.worker.kill(ending)
            return Answer(ending.verdict, None, ending.reason, used)
        if used > ask.soft:
            reason = f"used {used * 1000:.0f} ms of CPU where {ask.soft * 1000:.0f} are allowed"
            return Answer(Verdict.TIMEOUT, None, reason, used)
        return Answer(Verdict.OK, frame.payload, "", used)

    def _check_clock(self, index: int, now: float) -> None:
        ask = self.asks[index]
        used = ask.worker.cpu_since_asked()
        if used > ask.hard:
            ask.worker.kill(Ending(Verdict.TIMEOUT, f"used more than {ask.hard:g} s of CPU"))
        elif now - ask.worker.asked_at > ask.wall:
            ask.worker.kill(Ending(Verdict.TIMEOUT, f"gave no answer for {ask.wall:g} s"))
        elif used > ask.soft and index not in self._demoted:
            self._demoted.add(index)
            ask.worker.demote()

    def _close(self, index: int, answer: Answer) -> None:
        worker = self.asks[index].worker
        self.answers[index] = answer
        del self.open[worker.fileno()]
        self._poll.unregister(worker.fileno())
        if index in self._demoted:
            worker.restore()
        worker.extend_lifetime()

    def call_time(self) -> None:
        """End the round at the deadline: who has not answered is late, or over its soft limit."""
        for index in list(self.open.values()):
            self._read(index)
        for index in list(self.open.values()):
            ask = self.asks[index]
            self._check_clock(index, time.monotonic())
            used = ask.worker.cpu_since_asked()
            verdict = Verdict.TIMEOUT if used > ask.soft else Verdict.LATE
            reason = f"gave no answer in time ({used * 1000:.0f} ms of CPU used)"
            self.answers[index] = Answer(verdict, None, reason, used)
        self.open.clear()


def settle_late(worker: Worker, hard: float, wall: float) -> Ending | bool:
    """Look after a worker that missed a deadline; True once it is free again, False while busy."""
    got = worker.receive()
    if isinstance(got, Ending):
        return got
    if worker.waiting_for is None:
        worker.restore()
        return True
    if worker.cpu_since_asked() > hard:
        worker.kill(Ending(Verdict.TIMEOUT, f"used more than {hard:g} s of CPU in one tick"))
    elif time.monotonic() - worker.asked_at > wall:
        worker.kill(Ending(Verdict.TIMEOUT, f"gave no answer for {wall:g} s"))
    return False

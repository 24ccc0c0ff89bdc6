"""Asks many workers at once and gathers what they answer by one deadline.

Blocking and single-threaded on purpose: the tick runs outside any event loop. Only the parent's own
measurements decide: the kernel's CPU clock, the wall clock, the exit status.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.protocol import HEADER, Frame, Kind, encode, next_number
from sandbox.verdict import Ending, Verdict
from sandbox.worker import AS_USUAL, Worker

_SLICE = 0.02
_GROUP = 64
# CPU seconds: many times what a tick costs most bots. Without this, dozens that spin share the CPU so thinly
# that none of them comes to its limit within a tick, while together they take half of it from the others.
_BRIEF = 0.01


@dataclass(slots=True)
class Ask:
    """One request: CPU seconds beyond `soft` make a late answer, beyond `hard` the end.

    `usual` is the payload of the answer that is no news. An answer of just these bytes is not read any
    further: AS_EXPECTED stands for it.
    """

    worker: Worker
    kind: Kind
    payload: bytes
    soft: float
    hard: float
    wall: float = 30.0
    usual: bytes | None = None


@dataclass(slots=True)
class Answer:
    """What came of a request; `payload` is hostile bytes, None unless the verdict is OK."""

    verdict: Verdict
    payload: bytes | None
    reason: str
    cpu: float


AS_EXPECTED = Answer(Verdict.OK, b"", "", 0.0)
_EXPECTED = {Kind.CALL: Kind.REPLY, Kind.START: Kind.STARTED, Kind.CHECK: Kind.CHECKED}


def gather(asks: Sequence[Ask], deadline: float | None = None) -> list[Answer]:
    """Send every request and return the answers in order; `deadline` is seconds of wall time.

    Without a deadline each request may take until its CPU or its own wall limit. Requests of one payload
    object are encoded once.
    """
    end = None if deadline is None else time.monotonic() + deadline
    round_ = Round(asks)
    round_.send()
    round_.sweep(end)
    if round_.open:
        round_.wait_for_stragglers(end)
    return round_.answers  # type: ignore[return-value]  # none is left out


class Round:
    """One question to many workers; `open` are the places of those that have not answered, by descriptor."""

    def __init__(self, asks: Sequence[Ask]) -> None:
        self.asks = asks
        self.answers: list[Answer | None] = []
        self.open: dict[int, int] = {}
        self._number = next_number()
        self._writers: dict[int, int] = {}
        self._began = self._checked = time.monotonic()

    def send(self) -> None:
        """Send every request."""
        number, payload, frame, kind = self._number, None, b"", None
        for first in range(0, len(self.asks), _GROUP):
            now = time.monotonic()
            for ask in self.asks[first : first + _GROUP]:
                if ask.payload is not payload or ask.kind is not kind:
                    payload, kind = ask.payload, ask.kind
                    frame = encode(kind, number, payload)
                ask.worker.send(frame, number, now, ask.hard)

    # -- in order ----------------------------------------------------------------------------------

    def sweep(self, end: float | None) -> None:
        """Take the answers in the order asked, waiting only for the last worker of each group.

        By then most of its group have answered: one wait for many, and one read for each. Where that
        last one is slow, the rest is taken as it comes.
        """
        patient = True
        for first in range(0, len(self.asks), _GROUP):
            group = self.asks[first : first + _GROUP]
            if len(group) == 1:
                self._take_one(first, group, end)
            else:
                patient = patient and self._await(group, end)
                self._take_group(first, group)
            self._look_at_clocks()

    def _take_one(self, first: int, group: Sequence[Ask], end: float | None) -> None:
        """Look first and wait then: a single worker beside us has often answered when its question is sent."""
        self._take_group(first, group)
        if self.open and first in self.open.values() and self._await(group, end):
            self._read(first)

    def _await(self, group: Sequence[Ask], end: float | None) -> bool:
        """Wait for the last of a group that is not known to be slow; False where it lets us wait too long."""
        last = next((ask for ask in reversed(group) if not ask.worker.demoted), None)
        if last is None:
            return True
        wait = _SLICE if end is None else min(_SLICE, end - time.monotonic())
        waiting = select.poll()
        waiting.register(last.worker.fileno(), select.POLLIN)
        return bool(waiting.poll(max(0.0, wait * 1000)))

    def _take_group(self, first: int, group: Sequence[Ask]) -> None:
        """Read once from every worker of a group; lean, because it runs once a tick for every bot."""
        answers, number, size, head = self.answers, self._number, -1, b""
        # Less wall time than the soft limit cannot hold more CPU time; later the clock must be asked.
        age = time.monotonic() - self._began
        for index, ask in enumerate(group, first):
            worker, usual = ask.worker, ask.usual
            if usual is None or age > ask.soft:
                got = worker.receive()
            else:
                if len(usual) != size:
                    size = len(usual)
                    head = HEADER.pack(size, Kind.REPLY, number)
                got = worker.receive(head + usual)
                if got is AS_USUAL and not worker.demoted:
                    answers.append(AS_EXPECTED)
                    continue
            answers.append(None)
            self.open[worker.fileno()] = index
            if got is not None:
                self._take(index, got)
            elif worker.unsent:
                self._writers[worker.down_fileno] = index

    # -- as they come ------------------------------------------------------------------------------

    def wait_for_stragglers(self, end: float | None) -> None:
        """Take what is still open as it comes, until the deadline."""
        with select.epoll() as poll:
            for descriptor in self.open:
                poll.register(descriptor, select.EPOLLIN)
            for descriptor in self._writers:
                poll.register(descriptor, select.EPOLLOUT)
            while self.open:
                now = time.monotonic()
                if end is not None and now >= end:
                    self._call_time()
                    return
                self._turn(poll, _SLICE if end is None else min(_SLICE, end - now))

    def _turn(self, poll: select.epoll, wait: float) -> None:
        """Wait a little, take what has come, and look at the clocks of the others."""
        for descriptor, _ in poll.poll(wait):
            writer = self._writers.get(descriptor)
            if writer is not None:
                self._write_more(poll, descriptor, writer)
            elif descriptor in self.open:
                self._read(self.open[descriptor])
                if descriptor not in self.open:
                    poll.unregister(descriptor)
        self._look_at_clocks()

    def _write_more(self, poll: select.epoll, descriptor: int, index: int) -> None:
        worker = self.asks[index].worker
        worker.flush()
        if not worker.unsent:
            del self._writers[descriptor]
            poll.unregister(descriptor)

    def _look_at_clocks(self) -> float:
        now = time.monotonic()
        if now - self._checked >= _SLICE:
            self._checked = now
            for index in list(self.open.values()):
                self._check_clock(index, now)
        return now

    def _read(self, index: int) -> None:
        got = self.asks[index].worker.receive()
        if got is not None:
            self._take(index, got)

    def _take(self, index: int, got: Frame | Ending) -> None:
        if isinstance(got, Ending):
            self._close(index, Answer(got.verdict, None, got.reason, 0.0))
        elif got is AS_USUAL:
            self._close(index, AS_EXPECTED)
        else:
            self._close(index, judge(self.asks[index], got, time.monotonic()))

    def _check_clock(self, index: int, now: float) -> None:
        ask = self.asks[index]
        used = end_if_overdue(ask, now)
        if ask.kind is Kind.CALL:
            _stand_back(ask.worker, used)

    def _close(self, index: int, answer: Answer) -> None:
        worker = self.asks[index].worker
        self.answers[index] = answer
        del self.open[worker.fileno()]
        # Once slow, it stands back until it has answered within its limit again.
        if worker.demoted and answer.verdict is Verdict.OK:
            worker.restore()

    def _call_time(self) -> None:
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


def judge(ask: Ask, frame: Frame, now: float) -> Answer:
    """Return what an answer that came at `now` counts for, by its kind and the kernel's CPU clock."""
    # Less wall time than the soft limit cannot hold more CPU time: the usual case costs nothing.
    brief = now - ask.worker.asked_at <= ask.soft
    used = 0.0 if brief else ask.worker.cpu_since_asked()
    if frame.kind is not _EXPECTED[ask.kind]:
        ending = Ending(Verdict.PROTOCOL_ERROR, f"answered with a {frame.kind.name} frame")
        ask.worker.kill(ending)
        return Answer(ending.verdict, None, ending.reason, used)
    if used > ask.soft:
        reason = f"used {used * 1000:.0f} ms of CPU where {ask.soft * 1000:.0f} are allowed"
        return Answer(Verdict.TIMEOUT, None, reason, used)
    return Answer(Verdict.OK, frame.payload, "", used)


def end_if_overdue(ask: Ask, now: float) -> float:
    """Kill a worker that is past its hard limit of CPU or wall time; return the CPU seconds used so far."""
    used = ask.worker.cpu_since_asked()
    if used > ask.hard:
        ask.worker.kill(Ending(Verdict.TIMEOUT, f"used more than {ask.hard:g} s of CPU"))
    elif now - ask.worker.asked_at > ask.wall:
        ask.worker.kill(Ending(Verdict.TIMEOUT, f"gave no answer for {ask.wall:g} s"))
    return used


def _stand_back(worker: Worker, used: float) -> None:
    """Let one that takes longer over a tick than most, allowed or not, run after those that do not."""
    if used > _BRIEF and worker.alive and not worker.demoted:
        worker.demote()


def settle_late(worker: Worker, hard: float, wall: float) -> Ending | bool:
    """Look after a worker that missed a deadline; True once it is free again, False while busy."""
    got = worker.receive()
    if isinstance(got, Ending):
        return got
    if worker.waiting_for is None:
        return True
    used = worker.cpu_since_asked()
    if used > hard:
        worker.kill(Ending(Verdict.TIMEOUT, f"used more than {hard:g} s of CPU in one tick"))
    elif time.monotonic() - worker.asked_at > wall:
        worker.kill(Ending(Verdict.TIMEOUT, f"gave no answer for {wall:g} s"))
    _stand_back(worker, used)
    return False

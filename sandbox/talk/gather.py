"""Asks many workers at once and gathers what they answer by one deadline.

Blocking and single-threaded on purpose: the tick runs outside any event loop. Only the parent's own
measurements decide: the kernel's CPU clock, the wall clock, the exit status.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Sequence

from sandbox.talk.protocol import HEADER, Frame, Kind, encode, next_number
from sandbox.talk.request import (
    REPLY_AS_EXPECTED,
    WorkerReply,
    WorkerRequest,
    demote_if_slow,
    end_if_overdue,
    evaluate_reply,
)
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.worker import EXPECTED_FRAME, Worker

_SLICE = 0.02
_GROUP = 64


def gather(
    asks: Sequence[WorkerRequest],
    deadline: float | None = None,
    busy: Iterable[Worker] = (),
    meanwhile: Callable[[], object] | None = None,
) -> list[WorkerReply]:
    """Send every request and return the answers in order; `deadline` is seconds of wall time.

    Without a deadline each request may take until its CPU or its own wall limit. Requests of one payload
    object are encoded once. Workers that stand back are asked when all others have answered; of those that are
    `busy` with something older, the ones that stand back are stopped until then. When all has been sent,
    `meanwhile` is called.
    """
    end = None if deadline is None else time.monotonic() + deadline
    round_ = GatherRound(asks, busy)
    try:
        round_.send()
        if meanwhile is not None:
            meanwhile()
        round_.sweep(end)
        round_.wait_for_stragglers(end)
    finally:
        round_.let_go_on()
    return round_.answers  # type: ignore[return-value]  # none is left out


class GatherRound:
    """One question to many workers; `open` are the places of those that have not answered, by descriptor."""

    def __init__(self, asks: Sequence[WorkerRequest], busy: Iterable[Worker] = ()) -> None:
        self.asks = asks
        self.answers: list[WorkerReply | None] = []
        self.open: dict[int, int] = {}
        self._number = next_number()
        self._writers: dict[int, int] = {}
        self._began = self._checked = time.monotonic()
        self._busy = busy
        self._halted: list[Worker] = []
        # The places of those that are asked later; where all stand back, nobody is.
        later = [index for index, ask in enumerate(asks) if ask.worker.demoted]
        self._later = dict.fromkeys(later) if len(later) < len(asks) else {}

    def send(self) -> None:
        """Send every request that goes out at once."""
        # To run only when nothing else wants the CPU is not enough: a kernel that keeps account of what each is
        # owed (EEVDF) gives them turns of 4 ms before others who have had theirs a moment ago.
        self._halted = [worker for worker in self._busy if worker.demoted and worker.halt()]
        later = self._later
        self._send([ask for index, ask in enumerate(self.asks) if index not in later] if later else self.asks)

    def _send(self, asks: Sequence[WorkerRequest]) -> None:
        number, payload, frame, kind = self._number, None, b"", None
        for first in range(0, len(asks), _GROUP):
            now = time.monotonic()
            for ask in asks[first : first + _GROUP]:
                if ask.payload is not payload or ask.kind is not kind:
                    payload, kind = ask.payload, ask.kind
                    frame = encode(kind, number, payload)
                ask.worker.send(frame, number, now, ask.hard)

    def let_go_on(self) -> None:
        """Have those go on that were halted."""
        while self._halted:
            self._halted.pop().go_on()

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

    def _take_one(self, first: int, group: Sequence[WorkerRequest], end: float | None) -> None:
        """Look first and wait then: a single worker beside us has often answered when its question is sent."""
        self._take_group(first, group)
        if self.open and first in self.open.values() and self._await(group, end):
            self._read(first)

    def _await(self, group: Sequence[WorkerRequest], end: float | None) -> bool:
        """Wait for the last of a group that is not known to be slow; False where it lets us wait too long."""
        last = next((ask for ask in reversed(group) if not ask.worker.demoted), None)
        if last is None:
            return True
        wait = _SLICE if end is None else min(_SLICE, end - time.monotonic())
        waiting = select.poll()
        waiting.register(last.worker.fileno(), select.POLLIN)
        return bool(waiting.poll(max(0.0, wait * 1000)))

    def _take_group(self, first: int, group: Sequence[WorkerRequest]) -> None:
        """Read once from every worker of a group; lean, because it runs once a tick for every bot."""
        answers, number, size, head, later = self.answers, self._number, -1, b"", self._later
        # Less wall time than the soft limit cannot hold more CPU time; later the clock must be asked.
        age = time.monotonic() - self._began
        for index, ask in enumerate(group, first):
            worker, usual = ask.worker, ask.usual
            if index in later:
                answers.append(None)
                continue
            if usual is None or age > ask.soft:
                got = worker.receive()
            else:
                if len(usual) != size:
                    size = len(usual)
                    head = HEADER.pack(size, Kind.REPLY, number)
                got = worker.receive(head + usual)
                if got is EXPECTED_FRAME and not worker.demoted:
                    answers.append(REPLY_AS_EXPECTED)
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
        if not self.open and not self._later:
            return
        with select.epoll() as poll:
            for descriptor in self.open:
                poll.register(descriptor, select.EPOLLIN)
            for descriptor in self._writers:
                poll.register(descriptor, select.EPOLLOUT)
            while self.open or self._later:
                now = time.monotonic()
                late = end is not None and now >= end
                if (self._later or self._halted) and (late or not self.has_prompt_workers_pending()):
                    self._turn_to_the_slow(poll)
                if late:
                    self._call_time()
                    return
                self._turn(poll, _SLICE if end is None else min(_SLICE, end - now))

    def has_prompt_workers_pending(self) -> bool:
        """Say whether one is still to answer that does not stand back."""
        return any(not self.asks[index].worker.demoted for index in self.open.values())

    def _turn_to_the_slow(self, poll: select.epoll) -> None:
        """Let those go on, and ask those, that stand back."""
        self.let_go_on()
        later, self._later = self._later, {}
        self._send([self.asks[index] for index in later])
        for index in later:
            worker = self.asks[index].worker
            self.open[worker.fileno()] = index
            poll.register(worker.fileno(), select.EPOLLIN)
            if worker.unsent:
                self._writers[worker.down_fileno] = index
                poll.register(worker.down_fileno, select.EPOLLOUT)

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
            self._close(index, WorkerReply(got.verdict, None, got.reason, 0.0))
        elif got is EXPECTED_FRAME:
            self._close(index, REPLY_AS_EXPECTED)
        else:
            self._close(index, evaluate_reply(self.asks[index], got, time.monotonic()))

    def _check_clock(self, index: int, now: float) -> None:
        ask = self.asks[index]
        used = end_if_overdue(ask, now)
        if ask.kind is Kind.CALL:
            demote_if_slow(ask.worker, used)

    def _close(self, index: int, answer: WorkerReply) -> None:
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
            self.answers[index] = WorkerReply(verdict, None, reason, used)
        self.open.clear()

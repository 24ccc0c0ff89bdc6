"""Sends one tick to many workers and gathers their replies by one deadline.

Blocking and single-threaded on purpose: the tick runs outside any event loop.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable, Sequence

from sandbox.talk.protocol import HEADER, Frame, Kind, encode, next_number
from sandbox.talk.request import REPLY_AS_EXPECTED, WorkerReply, WorkerRequest, check_clock, reply_of
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.wait import CLOCK_INTERVAL, WorkerSelector, check_clocks
from sandbox.talk.worker import EXPECTED_FRAME, Worker

_GROUP = 64


def gather(
    requests: Sequence[WorkerRequest],
    deadline: float | None = None,
    busy: Iterable[Worker] = (),
    meanwhile: Callable[[], object] | None = None,
) -> list[WorkerReply]:
    """Send every request and return the replies in order; `deadline` is seconds of wall time.

    Without a deadline each request may take until its CPU or its own wall limit. Requests that share a payload
    object are encoded once. Demoted workers are asked when all others have answered; those of `busy` (still at
    work on an older tick) that are demoted are paused until then. `meanwhile` is called when all has been sent.
    """
    end = None if deadline is None else time.monotonic() + deadline
    round_ = GatherRound(requests, busy)
    try:
        round_.send()
        if meanwhile is not None:
            meanwhile()
        round_.sweep(end)
        round_.wait_for_stragglers(end)
    finally:
        round_.resume_paused()
    return round_.replies  # type: ignore[return-value]  # none is left out


class GatherRound:
    """One tick asked of many workers; `open` holds the requests without a reply, by their place in the order."""

    def __init__(self, requests: Sequence[WorkerRequest], busy: Iterable[Worker] = ()) -> None:
        self.requests = requests
        self.replies: list[WorkerReply | None] = []
        self.open: dict[int, WorkerRequest] = {}
        self._number = next_number()
        self._began = self._checked = time.monotonic()
        self._busy = busy
        self._paused: list[Worker] = []
        # Demoted workers are asked last; where all are demoted, none waits for another.
        later = [index for index, request in enumerate(requests) if request.worker.demoted]
        self._later = dict.fromkeys(later) if len(later) < len(requests) else {}

    def send(self) -> None:
        """Send every request but those of demoted workers."""
        # SCHED_IDLE alone is not enough: a scheduler that keeps account of what each task is owed (EEVDF) gives
        # idle tasks turns of 4 ms before others that have had theirs a moment ago.
        self._paused = [worker for worker in self._busy if worker.demoted and worker.pause()]
        later = self._later
        prompt = [request for index, request in enumerate(self.requests) if index not in later]
        self._send(prompt if later else self.requests)

    def _send(self, requests: Sequence[WorkerRequest]) -> None:
        number, payload, frame, kind = self._number, None, b"", None
        for first in range(0, len(requests), _GROUP):
            now = time.monotonic()
            for request in requests[first : first + _GROUP]:
                if request.payload is not payload or request.kind is not kind:
                    payload, kind = request.payload, request.kind
                    frame = encode(kind, number, payload)
                request.worker.send(frame, number, now, request.hard)

    def resume_paused(self) -> None:
        """Let the paused workers run again."""
        while self._paused:
            self._paused.pop().resume()

    # -- in order ----------------------------------------------------------------------------------

    def sweep(self, end: float | None) -> None:
        """Read the replies in the order asked, waiting only for the last worker of each group.

        By then most of its group have answered: one wait for many, and one read for each. Where that last one
        is slow, the rest of the groups are read without waiting.
        """
        patient = True
        for first in range(0, len(self.requests), _GROUP):
            group = self.requests[first : first + _GROUP]
            if len(group) == 1:
                self._read_one(first, group, end)
            else:
                patient = patient and self._await(group, end)
                self._read_group(first, group)
            now = time.monotonic()
            if now - self._checked >= CLOCK_INTERVAL:
                self._checked = now
                check_clocks(self.open.values(), now, demotes=True)

    def _read_one(self, first: int, group: Sequence[WorkerRequest], end: float | None) -> None:
        """Read first and wait then: a single worker on another CPU has often answered when its request is sent."""
        self._read_group(first, group)
        if first in self.open and self._await(group, end):
            got = group[0].worker.receive()
            if got is not None:
                self._take(first, got)

    def _await(self, group: Sequence[WorkerRequest], end: float | None) -> bool:
        """Wait for the last worker of a group that is not demoted; False if it takes longer than a moment."""
        last = next((request for request in reversed(group) if not request.worker.demoted), None)
        if last is None:
            return True
        wait = CLOCK_INTERVAL if end is None else min(CLOCK_INTERVAL, end - time.monotonic())
        waiting = select.poll()
        waiting.register(last.worker.fileno(), select.POLLIN)
        return bool(waiting.poll(max(0.0, wait * 1000)))

    def _read_group(self, first: int, group: Sequence[WorkerRequest]) -> None:
        """Read once from every worker of a group; lean, because it runs once a tick for every bot."""
        replies, number, size, head, later = self.replies, self._number, -1, b"", self._later
        # Less wall time than the soft limit cannot hold more CPU time; past it the clock must be read.
        age = time.monotonic() - self._began
        for index, request in enumerate(group, first):
            worker, expected = request.worker, request.expected_reply
            if index in later:
                replies.append(None)
                continue
            if expected is None or age > request.soft:
                got = worker.receive()
            else:
                if len(expected) != size:
                    size = len(expected)
                    head = HEADER.pack(size, Kind.REPLY, number)
                got = worker.receive(head + expected)
                if got is EXPECTED_FRAME and not worker.demoted:
                    replies.append(REPLY_AS_EXPECTED)
                    continue
            replies.append(None)
            self.open[index] = request
            if got is not None:
                self._take(index, got)

    # -- as they come ------------------------------------------------------------------------------

    def wait_for_stragglers(self, end: float | None) -> None:
        """Take the remaining replies as they come, until the deadline."""
        if not self.open and not self._later:
            return
        with WorkerSelector[int](demotes=True) as selector:
            for index, request in self.open.items():
                selector.watch(index, request)
            while self.open or self._later:
                now = time.monotonic()
                late = end is not None and now >= end
                if (self._later or self._paused) and (late or not self.has_prompt_workers_pending()):
                    self._ask_demoted(selector)
                if late:
                    self._end_at_deadline()
                    return
                wait = CLOCK_INTERVAL if end is None else min(CLOCK_INTERVAL, end - now)
                for index, request, got, _ in selector.receive(wait):
                    selector.forget(request.worker)
                    self._take(index, got)

    def has_prompt_workers_pending(self) -> bool:
        """Say whether a worker that is not demoted has yet to answer."""
        return any(not request.worker.demoted for request in self.open.values())

    def _ask_demoted(self, selector: WorkerSelector[int]) -> None:
        """Resume the paused workers, and send the demoted ones their requests."""
        self.resume_paused()
        later, self._later = self._later, {}
        self._send([self.requests[index] for index in later])
        for index in later:
            self.open[index] = self.requests[index]
            selector.watch(index, self.requests[index])

    def _take(self, index: int, got: Frame | Ending) -> None:
        self._close(index, reply_of(self.requests[index], got, time.monotonic()))

    def _close(self, index: int, reply: WorkerReply) -> None:
        worker = self.open.pop(index).worker
        self.replies[index] = reply
        # A demoted worker is restored once it has answered within its limit again.
        if worker.demoted and reply.verdict is Verdict.OK:
            worker.restore()

    def _end_at_deadline(self) -> None:
        """End the round: who has not answered is LATE, or TIMEOUT where it is over its soft limit of CPU."""
        for index, request in list(self.open.items()):
            got = request.worker.receive()
            if got is not None:
                self._take(index, got)
        for index, request in self.open.items():
            used = check_clock(request, time.monotonic(), demotes=True)
            verdict = Verdict.TIMEOUT if used > request.soft else Verdict.LATE
            reason = f"gave no answer in time ({used * 1000:.0f} ms of CPU used)"
            self.replies[index] = WorkerReply(verdict, None, reason, used)
        self.open.clear()

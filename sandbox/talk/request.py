"""A request to one worker, and what its reply, or the lack of one, counts for."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sandbox.talk.protocol import Frame, Kind
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.worker import EXPECTED_FRAME, Worker

# CPU seconds: many times what a tick costs most bots. Without demotion dozens of endless loops share the CPU so
# thinly that none reaches its limit within a tick, while together they take half of the CPU from the others.
_SLOW = 0.01


@dataclass(slots=True)
class WorkerRequest:
    """One request: a reply that took more CPU seconds than `soft` is a TIMEOUT, past `hard` the worker is killed.

    A reply whose payload is `expected_reply` to the byte (a bot that did nothing) is not parsed:
    `REPLY_AS_EXPECTED` stands for it.
    """

    worker: Worker
    kind: Kind
    payload: bytes
    soft: float
    hard: float
    wall: float = 30.0
    expected_reply: bytes | None = None


@dataclass(slots=True)
class WorkerReply:
    """What came of a request; `payload` is untrusted bytes, None unless the verdict is OK."""

    verdict: Verdict
    payload: bytes | None
    reason: str
    cpu: float


REPLY_AS_EXPECTED = WorkerReply(Verdict.OK, b"", "", 0.0)
_REPLY_KIND = {
    Kind.CALL: Kind.REPLY, Kind.START: Kind.STARTED, Kind.CHECK: Kind.CHECKED, Kind.SNAPSHOT: Kind.SNAPSHOT_TAKEN,
    Kind.RESTORE: Kind.RESTORED,
}  # fmt: skip
_WHILE = {
    Kind.CALL: "", Kind.START: " while it was loaded", Kind.CHECK: "", Kind.SNAPSHOT: " for a snapshot",
    Kind.RESTORE: " while it was restored",
}  # fmt: skip


def reply_of(request: WorkerRequest, got: Frame | Ending, now: float) -> WorkerReply:
    """Return what came of a request, of the frame that came at `now` or of the worker's end."""
    if isinstance(got, Ending):
        return WorkerReply(got.verdict, None, got.reason, 0.0)
    if got is EXPECTED_FRAME:
        return REPLY_AS_EXPECTED
    return evaluate_reply(request, got, now)


def evaluate_reply(request: WorkerRequest, frame: Frame, now: float) -> WorkerReply:
    """Return what a frame that came at `now` counts for, by its kind and the kernel's CPU clock."""
    worker = request.worker
    # Less wall time than the soft limit cannot hold more CPU time: most replies cost no reading of the clock.
    brief = now - worker.asked_at <= request.soft
    used = 0.0 if brief else worker.cpu_since_asked()
    if frame.kind is not _REPLY_KIND[request.kind]:
        ending = Ending(Verdict.PROTOCOL_ERROR, f"answered with a {frame.kind.name} frame")
        worker.kill(ending)
        return WorkerReply(ending.verdict, None, ending.reason, used)
    if used > request.soft:
        reason = f"used {used * 1000:.0f} ms of CPU where {request.soft * 1000:.0f} are allowed"
        return WorkerReply(Verdict.TIMEOUT, None, reason, used)
    return WorkerReply(Verdict.OK, frame.payload, "", used)


def check_clock(request: WorkerRequest, now: float, *, demotes: bool = False) -> float:
    """Kill a worker that is past its hard limit of CPU or its wall limit; return the CPU seconds used so far.

    The one place where a worker is found overdue. With `demotes`, one that is slow over a call is demoted.
    """
    worker = request.worker
    used = worker.cpu_since_asked()
    doing = _WHILE[request.kind]
    if used > request.hard:
        worker.kill(Ending(Verdict.TIMEOUT, f"used more than {request.hard:g} s of CPU{doing}"))
    elif now - worker.asked_at > request.wall:
        worker.kill(Ending(Verdict.TIMEOUT, f"gave no answer for {request.wall:g} s{doing}"))
    if demotes and request.kind is Kind.CALL:
        demote_if_slow(worker, used)
    return used


def demote_if_slow(worker: Worker, used: float) -> None:
    """Schedule a worker behind the others once a tick has cost it more CPU than most ticks cost."""
    if used > _SLOW and worker.alive and not worker.demoted:
        worker.demote()


def collect_late_reply(request: WorkerRequest) -> Ending | bool:
    """Drop the reply to a request that missed its deadline: True once the worker is free again, False while busy."""
    worker = request.worker
    got = worker.receive()
    if isinstance(got, Ending):
        return got
    if worker.waiting_for is None:
        return True
    check_clock(request, time.monotonic(), demotes=True)
    return False

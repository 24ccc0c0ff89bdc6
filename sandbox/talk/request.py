"""A question to one worker, and what its answer, or its silence, counts for."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sandbox.talk.protocol import Frame, Kind
from sandbox.talk.verdict import Ending, Verdict
from sandbox.talk.worker import Worker

# CPU seconds: many times what a tick costs most bots. Without this, dozens that spin share the CPU so thinly
# that none of them comes to its limit within a tick, while together they take half of it from the others.
_BRIEF = 0.01


@dataclass(slots=True)
class WorkerRequest:
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
class WorkerReply:
    """What came of a request; `payload` is hostile bytes, None unless the verdict is OK."""

    verdict: Verdict
    payload: bytes | None
    reason: str
    cpu: float


REPLY_AS_EXPECTED = WorkerReply(Verdict.OK, b"", "", 0.0)
_EXPECTED = {Kind.CALL: Kind.REPLY, Kind.START: Kind.STARTED, Kind.CHECK: Kind.CHECKED}


def evaluate_reply(ask: WorkerRequest, frame: Frame, now: float) -> WorkerReply:
    """Return what an answer that came at `now` counts for, by its kind and the kernel's CPU clock."""
    # Less wall time than the soft limit cannot hold more CPU time: the usual case costs nothing.
    brief = now - ask.worker.asked_at <= ask.soft
    used = 0.0 if brief else ask.worker.cpu_since_asked()
    if frame.kind is not _EXPECTED[ask.kind]:
        ending = Ending(Verdict.PROTOCOL_ERROR, f"answered with a {frame.kind.name} frame")
        ask.worker.kill(ending)
        return WorkerReply(ending.verdict, None, ending.reason, used)
    if used > ask.soft:
        reason = f"used {used * 1000:.0f} ms of CPU where {ask.soft * 1000:.0f} are allowed"
        return WorkerReply(Verdict.TIMEOUT, None, reason, used)
    return WorkerReply(Verdict.OK, frame.payload, "", used)


def end_if_overdue(ask: WorkerRequest, now: float) -> float:
    """Kill a worker that is past its hard limit of CPU or wall time; return the CPU seconds used so far."""
    used = ask.worker.cpu_since_asked()
    if used > ask.hard:
        ask.worker.kill(Ending(Verdict.TIMEOUT, f"used more than {ask.hard:g} s of CPU"))
    elif now - ask.worker.asked_at > ask.wall:
        ask.worker.kill(Ending(Verdict.TIMEOUT, f"gave no answer for {ask.wall:g} s"))
    return used


def demote_if_slow(worker: Worker, used: float) -> None:
    """Let one that takes longer over a tick than most, allowed or not, run after those that do not."""
    if used > _BRIEF and worker.alive and not worker.demoted:
        worker.demote()


def collect_late_reply(worker: Worker, hard: float, wall: float) -> Ending | bool:
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
    demote_if_slow(worker, used)
    return False

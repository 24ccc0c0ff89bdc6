"""Stops a bot after some ticks, restores its snapshot in a fresh worker, and compares what follows with a bot that was
never stopped, byte for byte."""

from __future__ import annotations

from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.protocol import Kind
from sandbox.talk.request import WorkerRequest
from sandbox.talk.snapshot import SnapshotReply, read_restored, read_snapshot
from sandbox.talk.worker import Worker
from tests.sandbox.market import meta, one_tick

_PATIENT = 20.0


def program_of(pool: Pool, source: bytes) -> bytes:
    """Return the checked program of a source."""
    checked = pool.check(source)
    assert checked.accepted, checked.violations
    return checked.program


def begin(pool: Pool, program: bytes) -> Worker:
    """Start a worker."""
    worker, ask = pool.spawn(program, meta())
    (answer,) = gather([ask])
    assert answer.payload is not None, answer
    return worker


def ticks(worker: Worker, first: int, end: int) -> list[bytes]:
    """Show ticks one by one and return the replies as they come."""
    found = []
    for index in range(first, end):
        (answer,) = gather([WorkerRequest(worker, Kind.CALL, one_tick(index), _PATIENT, _PATIENT, 60.0)])
        assert answer.payload is not None, answer
        found.append(answer.payload)
    return found


def snapshot(pool: Pool, worker: Worker) -> SnapshotReply:
    """Ask a worker for its snapshot."""
    ask = pool.snapshot_request(worker)
    worker.allow_frame(pool.limits.snapshot_bytes + 1)
    (answer,) = gather([ask])
    worker.allow_frame(pool.limits.frame_bytes)
    assert answer.payload is not None, answer
    return read_snapshot(answer.payload, pool.limits.snapshot_bytes)


def restore(pool: Pool, program: bytes, data: bytes) -> tuple[Worker, str]:
    """Start a worker from a snapshot; an empty text is success."""
    worker, ask = pool.spawn_restored(program, data)
    (answer,) = gather([ask])
    assert answer.payload is not None, answer
    return worker, read_restored(answer.payload)


def compare(pool: Pool, source: bytes, stops: list[int], end: int) -> str:
    """Play a bot with and without stops; return why it cannot be saved, an empty text if it goes on exactly."""
    program = program_of(pool, source)
    worker = begin(pool, program)
    straight = ticks(worker, 0, end)
    worker.close()
    worker, now, replies = begin(pool, program), 0, []
    for stop in stops:
        replies += ticks(worker, now, stop)
        now = stop
        taken = snapshot(pool, worker)
        if taken.data is None:
            worker.close()
            return taken.problem
        worker.close()
        worker, problem = restore(pool, program, taken.data)
        assert not problem, problem
    replies += ticks(worker, now, end)
    worker.close()
    assert replies == straight
    return ""

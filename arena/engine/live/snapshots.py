"""Has the memory of each bot saved from time to time and at a clean stop, so that a restart need not replay its past.

A worker is asked between two ticks, when it has nothing else to do, a few workers at a time: over the period each has
its turn, and no tick waits for one. The bytes go into the database as they come; only a worker ever opens them.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine as Database

from arena.engine.seat import Life, Seat, stored_seat
from arena.engine.state import SeasonState
from arena.runtime.version import runtime_hash
from arena.store.models import Snapshot
from arena.store.snapshots import save_snapshots
from sandbox.pool import Pool
from sandbox.talk.gather import gather
from sandbox.talk.request import WorkerReply
from sandbox.talk.snapshot import SnapshotReply, read_snapshot
from sandbox.talk.verdict import Verdict

log = logging.getLogger("arena.engine")

# Seconds. Of the time until the next tick a snapshot may take a part, and at a stop all together so much.
_SHARE, _LONGEST, _AT_STOP = 0.5, 0.25, 5.0
_AT_ONCE = 8


@dataclass(slots=True)
class _Turn:
    """When a bot's next snapshot is due, by the monotonic clock."""

    due: float
    slow: bool = False


class Snapshots:
    """Asks the workers of a season for their snapshots and stores them; used by the engine's thread only."""

    def __init__(
        self,
        database: Database,
        pool: Pool,
        state: SeasonState,
        minutes: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Have one made of each bot every so many `minutes`, 0 for never."""
        self._database = database
        self._pool = pool
        self._state = state
        self._period = minutes * 60.0
        self._clock = clock
        self._turns: dict[str, _Turn] = {}
        self._large: list[Seat] = []

    def between_ticks(self, seats: Sequence[Seat], left: float | None) -> None:
        """Save the bots whose turn it is; `left` are the seconds until the next tick, None where it waits for all."""
        if not self._period:
            return
        self._allow_small_frames()
        now = self._clock()
        ready = [seat for seat in seats if self._is_due(seat, now, len(seats))]
        if not ready:
            return
        if left is not None and left * _SHARE < 0.001:
            return
        ready.sort(key=lambda seat: self._turns[seat.id].due)
        deadline = None if left is None else min(left * _SHARE, _LONGEST)
        self._save(ready[:_AT_ONCE], deadline)

    @property
    def are_kept(self) -> bool:
        """Say whether memories are saved at all."""
        return bool(self._period)

    def due_elsewhere(self, seats: Sequence[Seat], most: int) -> list[Seat]:
        """Return the bots of another host whose turn it is, the longest due first; a host saves them itself."""
        if not self._period:
            return []
        now = self._clock()
        due = [seat for seat in seats if self._turn(seat, now, len(seats)).due <= now]
        due.sort(key=lambda seat: self._turns[seat.id].due)
        for seat in due[:most]:
            self._turns[seat.id].due = now + self._period
        return due[:most]

    def keep(self, taken: Sequence[tuple[Seat, SnapshotReply]]) -> None:
        """Store what other hosts have saved after the last tick, which has been recorded."""
        if taken:
            self._store([self._as_row(seat, reply) for seat, reply in taken])

    def at_stop(self, seats: Iterable[Seat]) -> None:
        """Save every bot that has nothing else to do; the last tick has been recorded."""
        if not self._period:
            return
        self._allow_small_frames()
        free = [seat for seat in seats if is_free(seat)]
        if free:
            log.info("Saving the memory of %d bots", len(free))
            self._save(free, _AT_STOP)

    def _is_due(self, seat: Seat, now: float, count: int) -> bool:
        turn = self._turn(seat, now, count)
        return turn.due <= now and not turn.slow and is_free(seat)

    def _turn(self, seat: Seat, now: float, count: int) -> _Turn:
        turn = self._turns.get(seat.id)
        if turn is None:
            # The turns of those that are there at the start are spread over the period.
            place = len(self._turns) % max(count, 1) + 1
            turn = self._turns[seat.id] = _Turn(now + self._period * place / max(count, 1))
        return turn

    def _save(self, seats: Sequence[Seat], deadline: float | None) -> None:
        bound = self._pool.limits.snapshot_bytes
        requests = []
        for seat in seats:
            assert seat.worker is not None
            seat.worker.allow_frame(bound + 1)
            requests.append(self._pool.snapshot_request(seat.worker))
        self._large.extend(seats)
        replies = gather(requests, deadline)
        rows = [self._row(seat, reply) for seat, reply in zip(seats, replies, strict=True)]
        self._store([row for row in rows if row is not None])
        self._allow_small_frames()

    def _store(self, rows: Sequence[Snapshot]) -> None:
        try:
            save_snapshots(self._database, rows)
        except Exception:
            # The clock goes on: without a snapshot a bot is brought back by replay.
            log.exception("Snapshots cannot be stored")

    def _row(self, seat: Seat, reply: WorkerReply) -> Snapshot | None:
        turn = self._turns.setdefault(seat.id, _Turn(0.0))
        turn.due = self._clock() + self._period
        if reply.payload is not None:
            taken = read_snapshot(reply.payload, self._pool.limits.snapshot_bytes)
        elif reply.verdict is Verdict.TIMEOUT and seat.worker is not None and seat.worker.alive:
            # It would hold up a tick: from now on only at a clean stop.
            turn.slow = True
            taken = SnapshotReply(None, "it takes too long to save")
        else:
            return None
        return self._as_row(seat, taken)

    def _as_row(self, seat: Seat, taken: SnapshotReply) -> Snapshot:
        data = taken.data
        return Snapshot(
            season_id=self._state.season.id, bot_id=seat.id, tick=self._state.market.n, saved_at=time.time(),
            runtime=runtime_hash(), source_hash=seat.bot.source_hash, size=len(data or b""),
            sha256=hashlib.sha256(data).hexdigest() if data is not None else "", problem=taken.problem, data=data,
            seat=stored_seat(seat.account, seat.waiting(self._state.market.n)),
        )  # fmt: skip

    def _allow_small_frames(self) -> None:
        """Hold workers to short replies again, once their snapshots have come."""
        still = []
        for seat in self._large:
            if seat.worker is None:
                continue
            if seat.worker.waiting_for is None:
                seat.worker.allow_frame(self._pool.limits.frame_bytes)
            else:
                still.append(seat)
        self._large = still


def is_free(seat: Seat) -> bool:
    """Say whether a bot's worker knows all that the bot is to know, and waits."""
    awake = seat.life in {Life.ACTIVE, Life.PAUSED} and seat.started and not seat.reviving
    return awake and seat.worker is not None and seat.worker.alive and seat.worker.waiting_for is None

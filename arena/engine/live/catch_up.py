"""One bot on its way back after a restart: it goes through its recorded ticks until it has caught up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from arena.core.seeds import seed_of
from arena.engine.replay.replayer import RecordedTicks, Replayer, WorkerLifetime
from arena.engine.seat import Life, Seat
from sandbox.talk.request import WorkerReply, WorkerRequest

if TYPE_CHECKING:
    from arena.core.ledger import Account
    from arena.engine.live.engine import Engine
    from sandbox.pool import Pool

log = logging.getLogger("arena.engine")


class CatchUp:
    """Brings one seat's worker back to life, with the memory that it had."""

    def __init__(
        self, pool: Pool, engine: Engine, seat: Seat, past: RecordedTicks, life: WorkerLifetime, account: Account
    ) -> None:  # fmt: skip
        self.over = False
        self._seat = seat
        self._paused = seat.life is Life.PAUSED
        seed = seed_of(engine.chance, seat.bot.name, seat.bot.source_hash)
        self._way = Replayer(pool, seat.program, (seat.name, seed), engine.rules, past, [life], account)
        seat.life = Life.RECOVERING
        seat.launched = (life.loaded, 0.0)

    def next_ask(self) -> WorkerRequest | None:
        """Return the next request, None where it has caught up."""
        ask = self._way.next_ask()
        if self._way.over:
            self._finish()
        return ask

    def take(self, answer: WorkerReply) -> None:
        """Take an answer; orders are compared at the end, not executed."""
        self._way.take(answer)
        if self._way.problem is not None:
            self._finish()

    def _finish(self) -> None:
        self.over = True
        seat, way = self._seat, self._way
        if way.problem is not None:
            # The account is exact all the same: it comes from the recorded trades.
            log.warning("Bot '%s' could not catch up (%s); it starts afresh", seat.name, way.problem)
            seat.worker, seat.life = None, Life.RESTARTING
            return
        if way.play.account != seat.account or way.play.waiting != [p.order for p in seat.pending]:
            log.warning("Bot '%s' did not repeat its recorded orders while catching up", seat.name)
        seat.worker, seat.symbols_told, seat.started = way.worker, -1, True
        seat.life = Life.PAUSED if self._paused else Life.ACTIVE

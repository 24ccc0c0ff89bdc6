"""One bot after a restart: its new worker is shown the recorded ticks until it has caught up."""

from __future__ import annotations

import logging

from arena.core.ledger import Account
from arena.core.seeds import seed_of
from arena.engine.replay.replayer import RecordedTicks, Replayer, WorkerLifetime
from arena.engine.seat import Life, Seat
from arena.engine.state import SeasonState
from sandbox.pool import Pool
from sandbox.talk.request import WorkerReply, WorkerRequest

log = logging.getLogger("arena.engine")


class CatchUp:
    """Gives one seat a new worker with the memory that the old one had."""

    def __init__(
        self, pool: Pool, state: SeasonState, seat: Seat, past: RecordedTicks, life: WorkerLifetime, account: Account
    ) -> None:  # fmt: skip
        self.over = False
        self._seat = seat
        self._paused = seat.life is Life.PAUSED
        seed = seed_of(state.chance, seat.bot.name, seat.bot.source_hash)
        self._replayer = Replayer(pool, seat.program, (seat.name, seed), state.rules, past, [life], account)
        seat.life = Life.RECOVERING
        seat.launched = (life.loaded, 0.0)

    def next_ask(self) -> WorkerRequest | None:
        """Return the next request, None where it has caught up."""
        ask = self._replayer.next_ask()
        if self._replayer.over:
            self._finish()
        return ask

    def take(self, answer: WorkerReply) -> None:
        """Take an answer; orders are compared at the end, not executed."""
        self._replayer.take(answer)
        if self._replayer.problem is not None:
            self._finish()

    def _finish(self) -> None:
        self.over = True
        seat, replayer = self._seat, self._replayer
        if replayer.problem is not None:
            # The account is exact all the same: it comes from the recorded trades.
            log.warning("Bot '%s' could not catch up (%s); it starts afresh", seat.name, replayer.problem)
            seat.worker, seat.life = None, Life.RESTARTING
            return
        if replayer.play.account != seat.account or replayer.play.waiting != [p.order for p in seat.pending]:
            log.warning("Bot '%s' did not repeat its recorded orders while catching up", seat.name)
        seat.worker, seat.symbols_told, seat.started = replayer.worker, -1, True
        seat.life = Life.PAUSED if self._paused else Life.ACTIVE

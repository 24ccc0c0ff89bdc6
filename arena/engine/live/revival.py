"""Brings the memories of bots back while the clock goes on, on a thread of its own, the best placed first.

A new worker is restored from its newest snapshot and shown the recorded ticks after it again, or all of them where
there is none; the orders that it makes there are compared with the record and not
executed. Until it has caught up a bot is `recovering`: it is not asked, which the journal says for a proof.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine as Database

from arena.core.ledger import Account
from arena.core.orders import Order, Side, Waiting
from arena.core.seeds import seed_of
from arena.engine.live.roster import Roster
from arena.engine.replay.replayer import (
    Replayer,
    SavedMemory,
    WorkerLifetime,
    advance,
    ask_on,
    worker_lifetimes,
)
from arena.engine.replay.tape import TickTape
from arena.engine.seat import Life, Seat, rebuilt_account, seat_of
from arena.engine.state import SeasonState
from arena.runtime.version import runtime_hash
from arena.store.recovered import bot_events, orders_waiting_after, trades_before
from arena.store.snapshots import usable_snapshots
from sandbox.pool import Pool
from sandbox.talk.wait import WorkerSelector

log = logging.getLogger("arena.engine")

# Workers that catch up at once: enough to keep every CPU busy, few enough that the first are back soon.
_AT_ONCE = 2 * (os.cpu_count() or 1)
_WANTED = frozenset({Life.ACTIVE, Life.PAUSED, Life.RECOVERING, Life.STARTING, Life.RESTARTING})


class _StoppedError(Exception):
    """The server ends, or all is begun anew."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """A seat whose worker is gone, with its account and waiting orders as of the last tick that it was asked at."""

    seat: Seat
    account: Account
    waiting: list[Waiting]


@dataclass(slots=True)
class _CatchUp:
    """One bot on its way back: it must come to the account and the orders of `lost`."""

    lost: _Lost
    program: bytes
    life: WorkerLifetime
    way: Replayer
    older: deque[SavedMemory]
    from_snapshot: bool


class Revival:
    """Gives seats new workers with the memory that the old ones had; `begin` and `stop` are the engine's thread's."""

    def __init__(
        self,
        database: Database,
        pool: Pool,
        state: SeasonState,
        roster: Roster,
        hand_over: Callable[[Callable[[], None]], Any],
    ) -> None:
        """Make one; `hand_over` has something done on the engine's thread between two ticks."""
        self._database = database
        self._pool = pool
        self._state = state
        self._roster = roster
        self._hand_over = hand_over
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def over(self) -> bool:
        """Say whether every bot has come back, or cannot."""
        return not any(seat.reviving for seat in self._roster.seats())

    def begin(self, seats: Sequence[Seat] | None = None) -> None:
        """Begin to bring back every bot that should run, or those of `seats`; none has a worker."""
        lost = []
        for seat in self._roster.seats() if seats is None else seats:
            if seat.life in _WANTED:
                seat.reviving, seat.revived = True, 0.0
                seat.life = Life.PAUSED if seat.life is Life.PAUSED else Life.RECOVERING
                lost.append(_Lost(seat, seat.account, seat.waiting(self._state.market.n)))
        if not lost:
            return
        lost.sort(key=lambda each: -each.seat.equity)
        self._stopped.clear()
        last = self._state.market.n
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=self._run, args=(deque(lost), last), name="revival"))
        self._threads[-1].start()

    def stop(self) -> None:
        """Stop where it is; workers that are on their way are ended."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    # -- on its own thread ------------------------------------------------------------------------------

    def _keep_on(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError

    def _run(self, lost: deque[_Lost], last: int) -> None:
        on_their_way: list[_CatchUp] = []
        every = list(lost)
        try:
            self._bring_back(lost, on_their_way, last)
        except _StoppedError:
            pass
        except Exception:
            log.exception("Bots cannot be brought back because of a fault of ours; they start afresh")
            # Those whose worker is handed over already have it by the time that this is done.
            for each in every:
                if each.seat.reviving:
                    checked = self._pool.check(each.seat.bot.source.encode())
                    self._settle(each.seat, Life.RESTARTING, checked.program)
        finally:
            for catch_up in on_their_way:
                catch_up.way.close()

    def _bring_back(self, lost: deque[_Lost], on_their_way: list[_CatchUp], last: int) -> None:
        tape = TickTape(self._database, self._state.season.id, self._state.market.symbols, last, self._keep_on)
        with WorkerSelector[_CatchUp]() as selector:
            while lost or on_their_way:
                self._keep_on()
                while lost and len(on_their_way) < _AT_ONCE:
                    self._keep_on()
                    catch_up = self._prepare(lost[0], tape, last)
                    lost.popleft()
                    if catch_up is not None:
                        on_their_way.append(catch_up)
                        ask_on(selector, catch_up, catch_up.way)
                for catch_up, answer in selector.turn():
                    advance(selector, catch_up, catch_up.way, answer)
                    total = max(last + 1 - catch_up.life.first, 1)
                    catch_up.lost.seat.revived = (catch_up.way.now - catch_up.life.first) / total
                for catch_up in [each for each in on_their_way if each.way.over]:
                    on_their_way.remove(catch_up)
                    again = self._arrive(catch_up, tape)
                    if again is not None:
                        on_their_way.append(again)
                        ask_on(selector, again, again.way)

    def _prepare(self, lost: _Lost, tape: TickTape, last: int) -> _CatchUp | None:
        """Return how a bot catches up, None if it has not started yet, waits to be restarted or is refused."""
        seat, state = lost.seat, self._state
        # Code objects are never stored: the source is checked again.
        checked = self._pool.check(seat.bot.source.encode())
        if not checked.accepted:
            self._refuse(seat, str(checked.violations[0]["message"]))
            return None
        lives = worker_lifetimes(bot_events(self._database, state.season.id, seat.id), last)
        if not lives or last < 0:
            self._settle(seat, Life.STARTING, checked.program)
            return None
        life = lives[-1]
        if life.died:
            # It was waiting to be restarted, and goes on waiting.
            self._settle(seat, Life.RESTARTING, checked.program)
            return None
        saved = self._saved(seat, life, last)
        return self._way(lost, checked.program, life, tape, saved)

    def _way(
        self, lost: _Lost, program: bytes, life: WorkerLifetime, tape: TickTape, saved: deque[SavedMemory]
    ) -> _CatchUp:
        """Return how a bot catches up from its newest snapshot, or from its beginning where there is none."""
        seat, state = lost.seat, self._state
        seed = seed_of(state.chance, seat.bot.name, seat.bot.source_hash)
        newest = saved.popleft() if saved else None
        if newest is not None:
            past, account, waiting = tape.since(newest.tick), newest.account, list[Waiting]()
        else:
            past = tape.since(life.loaded)
            account, waiting = self._as_of(seat, life.loaded)
        way = Replayer(
            self._pool, program, (seat.name, seed), state.rules, past, [life], account, saved=newest, waiting=waiting
        )  # fmt: skip
        return _CatchUp(lost, program, life, way, saved, from_snapshot=newest is not None)

    def _as_of(self, seat: Seat, tick: int) -> tuple[Account, list[Waiting]]:
        """Return the account after a tick and the orders that waited then, which workers before this one have made."""
        season, rules = self._state.season.id, self._state.rules
        account = rebuilt_account(rules, trades_before(self._database, season, seat.id, tick + 1))
        rows = orders_waiting_after(self._database, season, seat.id, tick, rules.delay_ticks)
        waiting = [Waiting(due - tick, Order(row.symbol, Side(row.side), float(row.size))) for row, due in rows]
        return account, waiting

    def _saved(self, seat: Seat, life: WorkerLifetime, last: int) -> deque[SavedMemory]:
        """Return what the worker of this life remembered at the ticks at which it was saved, the newest first."""
        found = deque[SavedMemory]()
        for row in usable_snapshots(self._database, self._state.season.id, seat.id, runtime_hash(), last):
            same = row.tick >= life.first and row.source_hash == seat.bot.source_hash
            if same and row.data is not None and row.seat is not None:
                found.append(SavedMemory(row.tick, row.data, *seat_of(row.seat)))
        return found

    def _arrive(self, catch_up: _CatchUp, tape: TickTape) -> _CatchUp | None:
        """Give a bot its seat back; return how it tries again where a snapshot has not brought it there."""
        lost, way = catch_up.lost, catch_up.way
        seat = lost.seat
        if way.lost:
            # The process that all are forked from has ended: the engine begins anew with every bot.
            return None
        repeated = way.play.account == lost.account and way.play.waiting == lost.waiting
        if catch_up.from_snapshot and (way.problem is not None or not repeated):
            why = way.problem or "led elsewhere"
            log.warning("The snapshot of bot '%s' is not used: it %s", seat.name, why, extra={"bot": seat.name})
            way.close()
            return self._way(lost, catch_up.program, catch_up.life, tape, catch_up.older)
        if way.problem is not None:
            # The account is exact all the same: it comes from the record.
            words = "Bot '%s' could not catch up (%s); it starts afresh"
            log.warning(words, seat.name, way.problem, extra={"bot": seat.name})
            self._settle(seat, Life.RESTARTING, catch_up.program)
            return None
        if not repeated:
            words = "Bot '%s' did not repeat its recorded orders while catching up"
            log.warning(words, seat.name, extra={"bot": seat.name})
        self._hand_over(lambda: self._seat_worker(catch_up))
        return None

    def _settle(self, seat: Seat, life: Life, program: bytes = b"") -> None:
        """Have a bot go on without its old memory: it starts, or waits for its restart."""

        def settle() -> None:
            seat.reviving, seat.program = False, program or seat.program
            if seat.life is Life.RECOVERING:
                seat.life = life

        self._hand_over(settle)

    def _refuse(self, seat: Seat, reason: str) -> None:
        def refuse() -> None:
            seat.reviving = False
            if seat.life in {Life.RECOVERING, Life.PAUSED}:
                seat.life, seat.entry.reason = Life.REFUSED, reason
                words = "Bot '%s' is refused by the present policy: %s"
                log.warning(words, seat.name, reason, extra={"bot": seat.name})

        self._hand_over(refuse)

    # -- on the engine's thread -------------------------------------------------------------------------

    def _seat_worker(self, catch_up: _CatchUp) -> None:
        seat, way = catch_up.lost.seat, catch_up.way
        seat.reviving = False
        if seat.life not in {Life.RECOVERING, Life.PAUSED}:
            # Retired or quarantined meanwhile.
            way.close()
            return
        seat.program, seat.worker = catch_up.program, way.worker
        seat.launched = (catch_up.life.loaded, 0.0)
        seat.symbols_told, seat.told, seat.started, seat.revived = -1, None, True, 1.0
        if seat.life is Life.RECOVERING:
            seat.life = Life.ACTIVE

"""The tick engine: one clock, start / main_loop / on_tick / stop.

It runs on a thread of its own, because waiting for bots blocks. Only this thread changes seats, in a tick or
between two; `call` hands it work from other threads.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time as real_time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Engine as Database

from arena.core.exchange import Rules
from arena.core.scoring import RANKED_EVERY
from arena.engine.live import garbage
from arena.engine.live.blocks import BlockLengths, BlockTick, mark_idle
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.calls import CallQueue
from arena.engine.live.hosts import Hosts
from arena.engine.live.journal import Journal
from arena.engine.live.observer import Observer
from arena.engine.live.play import MarketTick, play_tick, take_tick
from arena.engine.live.recovery import Recovery
from arena.engine.live.revival import Revival
from arena.engine.live.roster import Roster
from arena.engine.live.season_scores import SeasonScores
from arena.engine.live.snapshots import Snapshots
from arena.engine.live.sources import ReplaySource, TickSource
from arena.engine.live.supervisor import Supervisor
from arena.engine.live.tick import LOG_BYTES_A_DAY, Numbers, TickBuilder
from arena.engine.live.tick_payload import TickPayload
from arena.engine.seat import Seat
from arena.engine.state import MarketState, SeasonState
from arena.log import RateLimit
from arena.store.models import Season
from arena.store.seasons import ReceiptWriter, close_season, season_seeds
from sandbox.pool import Pool

log = logging.getLogger("arena.engine")
T = TypeVar("T")

# In a replay: ticks that are written in one transaction, and seconds after which they are in any case; the board is
# made anew after as many seconds too, since whatever comes between is overwritten before anybody can read it.
_MOST_UNWRITTEN = 512
_UNWRITTEN_SECONDS = 0.25
# Seconds that the rest of a block may take at a stop.
_LAST_BLOCK_SECONDS = 2.0

WAITING = "No prices available yet, waiting..."


class Engine:
    """One season's clock and all that happens at its ticks."""

    def __init__(
        self,
        database: Database,
        pool: Pool,
        source: TickSource,
        season: Season,
        broadcast: Broadcast,
        journal: Journal | None = None,
        log_bytes_a_day: int = LOG_BYTES_A_DAY,
        memory: int = sys.maxsize,
        receipt: ReceiptWriter | None = None,
        snapshot_minutes: float = 0.0,
        on_finish: Callable[[bool], None] | None = None,
        observer: Observer | None = None,
        *,
        followed: bool = False,
    ) -> None:
        """Make an engine; a bot may log so many bytes a day, and all bots together take so much `memory`.

        Each bot that comes in is given a `receipt`; its memory is saved every `snapshot_minutes`, 0 for never.
        `on_finish` is called once the season is closed, with whether it had come to its declared end; a season that
        is `followed` has the next one begin there. The `observer` is told what the clock does.
        """
        self.season = season
        self.market = MarketState(symbols=tuple(sorted(source.symbols)))
        self.rules = Rules.of(season.model_dump())
        self.beats = source.beats
        self.tick_seconds = 0.0
        chance = season_seeds(database, season.id).chance
        self.scores = SeasonScores(season, self.rules, source.symbols, chance)
        self._state = SeasonState(season, self.rules, chance, self.market, followed=followed)
        self._database = database
        self._pool = pool
        self._source = source
        self._broadcast = broadcast
        self._journal = journal or Journal(database)
        self._calls = CallQueue()
        self._observer = observer or Observer()
        self.supervisor = Supervisor(pool, self._state, source.deadline, self._observer)
        self.roster = Roster(database, self._state, self.supervisor, memory, receipt)
        self._recovery = Recovery(database, self._state, self.roster, self.scores)
        self._revival = Revival(database, pool, self._state, self.roster, self._calls.hand_over)
        self._snapshots = Snapshots(database, pool, self._state, snapshot_minutes)
        self.hosts = Hosts(
            pool, self._state, self.roster, self.supervisor, self._snapshots, self._part, log_bytes_a_day
        )
        self.roster.hosts = self.hosts
        self._restored = threading.Event()
        # Whether workers have seen a tick that is not in the record.
        self._unrecorded = False
        self._limit = RateLimit()
        self._log_bytes = log_bytes_a_day
        self._ranked_at, self._ranked_time = -1, -math.inf
        self._gathering = False
        self._unwritten: list[TickBuilder] = []
        self._written_at = 0.0
        self._block_lengths, self._block_end = BlockLengths(), 0
        self._stop_by: float | None = None
        self._barred: set[str] = set()
        self._on_finish = on_finish
        self._came_to_its_end = False
        self._zygote_died = threading.Event()
        self._released = threading.Event()

    @property
    def state(self) -> str:
        """Return the phase the season is in, as `SeasonState` lists them."""
        return self._state.phase

    @property
    def problem(self) -> str | None:
        """Return why ticks cannot be recorded, None while they can."""
        return self._state.problem

    @property
    def followed(self) -> bool:
        """Say whether the next season begins at this one's end."""
        return self._state.followed

    @property
    def entry_problem(self) -> str | None:
        """Return why no bot can come in any more, None while one can."""
        return self._state.entry_problem()

    # -- life -----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live: start, loop, stop. The thread's target."""
        try:
            self.start()
            self.main_loop()
        except Exception:
            log.exception("The engine has stopped because of a fault of its own")
            self._state.phase = "failed"
        finally:
            self.stop()

    def start(self) -> None:
        """Bring accounts back to where the last recorded tick left them, and begin to bring back the workers.

        A live market does not wait for these; a replay does, so that it comes out the same whenever it was stopped.
        """
        self._state.phase = "recovering"
        try:
            self._ranked_at = self._recovery.run()
        finally:
            self._restored.set()
        self._revival.begin()
        if self._source.deadline is None:
            self.wait_for_bots()
        self._state.phase = "running"

    def wait_until_restored(self, seconds: float) -> None:
        """Wait, for so many seconds at most, until accounts are as of the last tick; callable from any thread."""
        self._restored.wait(seconds)

    def wait_for_bots(self) -> None:
        """Wait until every bot has its memory back; what is handed over meanwhile is done."""
        while not self._revival.over and not self._calls.stopping and not self._zygote_died.is_set():
            self._observer.beat()
            self._calls.serve(0.1)

    def main_loop(self) -> None:
        """Tick until told to stop; a replay ends with its recording.

        A replay that has no time to wait for writes many ticks in one transaction.
        """
        self._gathering = self._source.deadline is None
        if self._source.waits_for_bots:
            self._serve_until(lambda: 0.0 if self._released.is_set() else 0.05)
        self._wait_for_start()
        while not self._is_over():
            beat = self.beats.next(self.market)
            if beat is None:
                self.finish()
                break
            time, last = beat
            ends = self.season.ends_at
            if ends is not None and time > ends:
                # It is open, to bots as well, until its very end.
                self._serve_until(partial(self.beats.left, ends))
                if not self._calls.stopping and self.state != "finished":
                    self._came_to_its_end = True
                    self.finish()
                break
            if not self._in_block:
                self._save_memories(time)
                self._serve_until(partial(self.beats.left, time))
                if self._is_over():
                    break
                self._begin_block()
            self.on_tick(self.market.n + 1, time, last=last)
        self._serve_until(lambda: 1.0)

    def _is_over(self) -> bool:
        """Say whether no tick follows; of a block that bots have been asked for, the rest comes first."""
        if self._calls.stopping and self._in_block:
            if self._stop_by is None:
                self._stop_by = real_time.monotonic() + _LAST_BLOCK_SECONDS
            return real_time.monotonic() > self._stop_by
        return self._calls.stopping or self.state == "finished"

    @property
    def _in_block(self) -> bool:
        """Say whether bots may have answered ticks to come: nothing else may change them then."""
        return self.market.n + 1 < self._block_end

    def _begin_block(self) -> None:
        """Let bots be asked for the next ticks one after the other, where a recording is played and nobody waits.

        What is handed over waits until the block ends, so that one takes a moment only.
        """
        source, market, first = self._source, self.market, self.market.n + 1
        if not self._gathering or not isinstance(source, ReplaySource) or source.speed or self.hosts:
            return
        length = self._block_lengths.next(first, real_time.monotonic())
        if length == 1:
            self.supervisor.block.begin(first, ())
            return
        ends = self.season.ends_at
        ticks = [
            BlockTick(time, prices, TickPayload(time, market.symbols, prices, market.version))
            for time, prices in source.usual_ticks(first, first + length, market.last_prices)
            if ends is None or time <= ends
        ]
        self._block_end = first + len(ticks)
        self.supervisor.block.begin(first, ticks)

    def _wait_for_start(self) -> None:
        """Let a season with a start of its own begin then; what is handed over is done meanwhile."""
        starts = self.season.starts_at
        if starts is None or self.market.n >= 0:
            return
        self._state.phase = "waiting"
        self._serve_until(partial(self.beats.left, starts))
        if self.state == "waiting":
            self._state.phase = "running"

    def on_tick(self, n: int, time: float, *, last: bool = False) -> None:
        """Settle, ask, record, publish; seats and market change only after the tick is recorded."""
        started = real_time.monotonic()
        self._observer.beat()
        market = self.market
        prices = self._source.prices_at(n, time, market.prices)
        conditions = self._source.conditions(time, market)
        # The tick at which the last symbol ends has no prices, and still settles what is held of it.
        if not prices and not conditions.ended:
            log.info(WAITING)
            self._state.phase = "waiting"
            return
        self._state.phase = "running"
        self._revive_if_lost()
        self._revive_of_lost_hosts()
        market.admit_symbols(prices)
        last_prices = {**market.last_prices, **prices}
        for seat in self.supervisor.restart_due(self.roster.seats(), n):
            self.supervisor.launch(seat)
        with garbage.gc_paused():
            # All that it makes of each seat is gone again at its return: no collection falls due for it.
            done = self._play(MarketTick(n, time, prices, last_prices, conditions), started, last=last)
        if not done:
            return
        if conditions.barred.keys() != self._barred:
            self._barred = set(conditions.barred)
            self._broadcast.publish("status", {})
        self.tick_seconds = real_time.monotonic() - started
        self._observer.ticked(self.tick_seconds)

    def _play(self, tick: MarketTick, started: float, *, last: bool) -> bool:
        """Play, record and publish one tick; False where it could not be recorded before the end."""
        market = self.market
        builder = self._settle_and_ask(tick, last=last)
        self.supervisor.spread(builder)
        builder.entry_updates()
        ranked = self._measure(builder, tick, started, last=last)
        self._unrecorded = True
        if not self._gathering and not self._record(builder):
            return False
        self._unrecorded = self._gathering
        builder.apply()
        take_tick(market, tick)
        if self.hosts:
            self.hosts.after_tick(recorded=not self._unrecorded)
        if ranked:
            self._ranked_at, self._ranked_time = tick.n, started
        if self._gathering:
            self._unwritten.append(builder)
            overdue = len(self._unwritten) >= _MOST_UNWRITTEN or started - self._written_at > _UNWRITTEN_SECONDS
            if overdue and not self._in_block:
                self._flush()
        else:
            self._publish(builder)
        return True

    def _save_memories(self, beat: float) -> None:
        """Have the memory of some bots saved while there is nothing else to do until the next beat."""
        if not self._unrecorded and not self._calls.stopping:
            left = None if self._source.deadline is None else self.beats.left(beat)
            self._snapshots.between_ticks(self.roster.seats(), left)

    def finish(self) -> None:
        """Close the season: what waits expires, its last state is written, and no tick follows."""
        if self.state == "finished":
            return
        self._flush()
        self.roster.expire_pending()
        self._rank_last()
        close_season(self._database, self.season.id)
        self.season.status = "closed"
        # Last: who sees it finds the season closed and its last state written.
        self._state.phase = "finished"
        log.info("Season %d is closed after tick %d", self.season.number, self.market.n)
        self._broadcast.publish("status", {})
        if self._on_finish is not None:
            self._on_finish(self._came_to_its_end)

    def stop(self) -> None:
        """End all workers; what was recorded stays."""
        self._calls.stop()
        self._revival.stop()
        if self.state != "failed":
            self._flush()
        self.scores.end()
        # A worker that has just come back gets its seat, and is ended with the others.
        self._calls.serve_all()
        if self.state not in {"failed", "finished", "stopped"} and not self._unrecorded and not self._in_block:
            self._snapshots.at_stop(self.roster.seats())
        self.hosts.end()
        self.roster.end_all()
        if self.state != "failed":
            self._state.phase = "stopped"
        self._calls.close()

    def release(self) -> None:
        """Let a replay begin: the bots that should play are in."""
        self._released.set()

    def shut_down(self) -> None:
        """Ask the loop to end after the tick it is in; callable from any thread."""
        self._calls.stop()

    # -- the parts of a tick --------------------------------------------------------------------------------

    def _builder(self, n: int, time: float) -> TickBuilder:
        return self._builder_of(self.roster.seats(), n, time, self._journal.recorder)

    def _builder_of(self, seats: Sequence[Seat], n: int, time: float, numbers: Numbers) -> TickBuilder:
        return TickBuilder(seats, self.season.id, n, time, self.rules, numbers, self._limit, self._log_bytes)

    def _settle_and_ask(self, tick: MarketTick, *, last: bool) -> TickBuilder:
        """Settle and ask the seats to which a tick does anything; the others are marked at once."""
        seats = self.roster.seats()
        if self.hosts:
            return self.hosts.play(tick, seats, self._journal.recorder)
        busy = self._busy_seats(seats, tick, last=last)
        builder = self._builder_of(busy, tick.n, tick.time, self._journal.recorder)
        play_tick(self.supervisor, self.market, tick, builder)
        if len(busy) < len(seats):
            mark_idle(seats, busy, tick.last_prices)
        return builder

    def _busy_seats(self, seats: Sequence[Seat], tick: MarketTick, *, last: bool) -> Sequence[Seat]:
        """Return the seats that a tick does more to than mark their accounts: all, where rows of all are written."""
        if last or tick.n % RANKED_EVERY == 0 or self.scores.clock.would_be_due(tick.time):
            return seats
        busy = self.supervisor.block.busy_seats(seats, tick.n)
        return seats if busy is None else busy

    def _part(self, seats: Sequence[Seat], tick: MarketTick, numbers: Numbers) -> TickBuilder:
        return self._builder_of(seats, tick.n, tick.time, numbers)

    def _worth(self, last_prices: Mapping[str, float], ended: Mapping[str, float | None]) -> dict[str, float]:
        """Return what one unit of each symbol is worth: its last price, or what it was settled at."""
        settled = {**self.market.ended, **ended}
        return {**last_prices, **{symbol: price for symbol, price in settled.items() if price is not None}}

    def _measure(self, builder: TickBuilder, tick: MarketTick, started: float, *, last: bool) -> bool:
        """Write score points, equity and the board where this tick is one for them; say whether the board was."""
        ended = tick.conditions.ended
        worth = self._worth(tick.last_prices, ended)
        builder.score_point(self.scores, worth)
        if tick.n % RANKED_EVERY and not last:
            return False
        builder.record_equity()
        if self._gathering and not last and started - self._ranked_time < _UNWRITTEN_SECONDS:
            return False
        known = {"last_prices": tick.last_prices, "ended": {**self.market.ended, **ended}}
        builder.rank(self.scores, worth, known)
        return True

    def _record(self, *builders: TickBuilder) -> bool:
        """Write ticks; where the database is away or full, the clock stands until it is back."""
        batch = [builder.writes for builder in builders]
        while (problem := self._journal.write(*batch)) is not None:
            log.error("Tick %d cannot be recorded, the clock stands: %s", builders[-1].n, problem.detail)
            # The phase last: who reads it from another thread finds the reason too.
            self._state.problem = problem.reason
            self._state.phase = "waiting"
            garbage.end_pause()
            # A restart would not bring the database back: the process is told to be alive.
            self._observer.beat()
            if self._calls.wait(1.0):
                return False
        self._state.problem = None
        self._state.phase = "running"
        return True

    def _flush(self) -> None:
        """Write and publish the ticks that stand in memory only; whoever changes bots between two ticks waits for it.

        Where the server ends before they can be written, they are played again after its next start.
        """
        builders, self._unwritten = self._unwritten, []
        self._written_at = real_time.monotonic()
        if builders and self._record(*builders):
            self._unrecorded = False
            self._publish(*builders)

    def _rank_last(self) -> None:
        """Write equity and standings of the season's last tick, where they have not been written."""
        market = self.market
        if market.n < 0 or market.n == self._ranked_at:
            return
        builder = self._builder(market.n, market.time)
        if market.n % RANKED_EVERY:
            builder.record_equity()
        known = {"last_prices": market.last_prices, "ended": market.ended}
        builder.rank(self.scores, self._worth(market.last_prices, {}), known)
        self._record(builder)

    def _publish(self, *builders: TickBuilder) -> None:
        """Tell of ticks that have been written: each trade, and the last tick."""
        market = self.market
        data = {"n": market.n, "time": market.time, "prices": market.prices}
        self._broadcast.publish("tick", data)
        for builder in builders:
            for trade in builder.writes.trades:
                self._broadcast.publish("trade", trade)
        if any(builder.writes.summary for builder in builders):
            self._broadcast.publish("leaderboard", {"as_of": market.time})

    # -- work handed over by other threads --------------------------------------------------------------

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Run something on the engine's thread between two ticks."""
        return self._calls.hand_over(work)

    def _serve_until(self, left: Callable[[], float]) -> None:
        """Do what is handed over until no time is left or the engine is to end."""
        while not self._calls.stopping and (seconds := left()) > 0:
            self._flush()
            self._observer.beat()
            self._calls.serve(min(seconds, 1.0))
        if self._calls.waiting:
            self._flush()
            self._calls.serve_all()

    # -- the zygote ---------------------------------------------------------------------------------------

    def zygote_died(self) -> None:
        """Note that the zygote has died, and all workers with it; callable from any thread."""
        self._zygote_died.set()

    def _revive_if_lost(self) -> None:
        if not self._zygote_died.is_set():
            return
        log.error("The process that starts bots has ended; it and its bots are started again")
        self._flush()
        self._revival.stop()
        self._calls.serve_all()
        self._zygote_died.clear()
        # The workers to come have answered nothing of the block, and no more than one tick is asked of them at a time.
        self._block_end = 0
        self.supervisor.block.begin(self.market.n + 1, ())
        self._pool.restart_zygote()
        here = [seat for seat in self.roster.seats() if seat.host is None]
        for seat in here:
            self.supervisor.end(seat)
        self._revival.begin(here)
        if self._source.deadline is None:
            self.wait_for_bots()

    def _revive_of_lost_hosts(self) -> None:
        """Bring back the memories of the bots whose host is gone, by the record as of the last tick."""
        lost = self.hosts.lost_seats()
        if lost:
            self._flush()
            self._revival.begin(lost)
            if self._source.deadline is None:
                self.wait_for_bots()

    # -- reading --------------------------------------------------------------------------------------------

    def source_status(self) -> dict[str, Any]:
        """Return how the market's source is doing."""
        return self._source.status()

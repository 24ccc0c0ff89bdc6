"""The tick engine: one clock, start / main_loop / on_tick / stop.

It runs on a thread of its own, because waiting for bots blocks. Only this thread changes seats, in a tick or
between two; `call` hands it work from other threads.
"""

from __future__ import annotations

import logging
import sys
import threading
import time as real_time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Engine as Database

from arena.core.exchange import Rules
from arena.core.scoring import SNAPSHOT_EVERY
from arena.engine.live import garbage
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.calls import CallQueue
from arena.engine.live.journal import Journal
from arena.engine.live.recovery import Recovery
from arena.engine.live.roster import Roster
from arena.engine.live.season_scores import SeasonScores
from arena.engine.live.sources import TickSource
from arena.engine.live.supervisor import Supervisor
from arena.engine.live.tick import LOG_BYTES_A_DAY, TickBuilder
from arena.engine.live.tick_payload import TickPayload
from arena.engine.seat import Life
from arena.engine.state import MarketState, SeasonState
from arena.log import RateLimit
from arena.store.models import Season
from arena.store.seasons import ReceiptWriter, close_season, season_seeds
from sandbox.pool import Pool

log = logging.getLogger("arena.engine")
T = TypeVar("T")

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
    ) -> None:
        """Make an engine; a bot may log so many bytes a day, and all bots together take so much `memory`.

        Each bot that comes in is given a `receipt`.
        """
        self.season = season
        self.market = MarketState(symbols=tuple(sorted(source.symbols)))
        self.rules = Rules(season.starting_cash, season.fee_bps, season.slippage_bps, season.fills_a_day)
        self.beats = source.beats
        self.tick_seconds = 0.0
        chance = season_seeds(database, season.id).chance
        self.scores = SeasonScores(season, self.rules, source.symbols, chance)
        self._state = SeasonState(season, self.rules, chance, self.market)
        self._database = database
        self._pool = pool
        self._source = source
        self._broadcast = broadcast
        self._journal = journal or Journal(database)
        self._calls = CallQueue()
        self.supervisor = Supervisor(pool, self._state, source.deadline)
        self.roster = Roster(database, self._state, self.supervisor, memory, receipt)
        self._recovery = Recovery(database, pool, self._state, self.roster, self.scores)
        self._limit = RateLimit()
        self._log_bytes = log_bytes_a_day
        self._ranked_at = -1
        self._barred: set[str] = set()
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
        """Bring accounts and workers back to where the last recorded tick left them."""
        self._state.phase = "recovering"
        self._recovery.run()
        self._state.phase = "running"

    def main_loop(self) -> None:
        """Tick until told to stop; a replay ends with its recording."""
        if self._source.waits_for_bots:
            self._serve_until(lambda: 0.0 if self._released.is_set() else 0.05)
        while not self._calls.stopping and self.state != "finished":
            beat = self.beats.next(self.market)
            if beat is None:
                self.finish()
                break
            time, last = beat
            self._serve_until(partial(self.beats.left, time))
            if not self._calls.stopping and self.state != "finished":
                self.on_tick(self.market.n + 1, time, last=last)
        self._serve_until(lambda: 1.0)

    def on_tick(self, n: int, time: float, *, last: bool = False) -> None:
        """Settle, ask, record, publish; seats and market change only after the tick is recorded."""
        started = real_time.monotonic()
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
        market.admit_symbols(prices)
        last_prices = {**market.last_prices, **prices}
        for seat in self.supervisor.restart_due(self.roster.seats(), n):
            self.supervisor.launch(seat)
        builder = self._builder(n, time)
        with garbage.gc_paused():
            self.supervisor.collect_starts(builder)
            builder.settle(prices, last_prices, conditions)
            self.supervisor.ask(TickPayload(time, market.symbols, prices, market.version), builder)
            builder.entry_updates()
            worth = self._worth(last_prices, conditions.ended)
            builder.score_point(self.scores, worth)
            ranked = builder.snapshot(self.scores, worth, last=last)
        if not self._record(builder):
            return
        builder.apply()
        market.n, market.time, market.prices, market.last_prices = n, time, prices, last_prices
        market.ended.update(conditions.ended)
        self._ranked_at = n if ranked else self._ranked_at
        self._publish(builder, ranked=ranked)
        if conditions.barred.keys() != self._barred:
            self._barred = set(conditions.barred)
            self._broadcast.publish("status", {})
        self.tick_seconds = real_time.monotonic() - started

    def finish(self) -> None:
        """Close the season: what waits expires, its last state is written, and no tick follows."""
        if self.state == "finished":
            return
        self.roster.expire_pending()
        self._snapshot_last()
        close_season(self._database, self.season.id)
        self.season.status = "closed"
        # Last: who sees it finds the season closed and its last state written.
        self._state.phase = "finished"
        log.info("Season %d is closed after tick %d", self.season.number, self.market.n)
        self._broadcast.publish("status", {})

    def stop(self) -> None:
        """End all workers; what was recorded stays."""
        self._calls.stop()
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
        recorder = self._journal.recorder
        return TickBuilder(
            self.roster.seats(), self.season.id, n, time, self.rules, recorder, self._limit, self._log_bytes
        )

    def _worth(self, last_prices: Mapping[str, float], ended: Mapping[str, float | None]) -> dict[str, float]:
        """Return what one unit of each symbol is worth: its last price, or what it was settled at."""
        settled = {**self.market.ended, **ended}
        return {**last_prices, **{symbol: price for symbol, price in settled.items() if price is not None}}

    def _record(self, builder: TickBuilder) -> bool:
        """Write the tick; where the database is away or full, the clock stands until it is back."""
        while (problem := self._journal.write(builder.writes)) is not None:
            log.error("Tick %d cannot be recorded, the clock stands: %s", builder.n, problem.detail)
            # The phase last: who reads it from another thread finds the reason too.
            self._state.problem = problem.reason
            self._state.phase = "waiting"
            if self._calls.wait(1.0):
                return False
        self._state.problem = None
        self._state.phase = "running"
        return True

    def _snapshot_last(self) -> None:
        """Write equity and standings of the season's last tick, where they have not been written."""
        market = self.market
        if market.n < 0 or market.n % SNAPSHOT_EVERY == 0 or market.n == self._ranked_at:
            return
        builder = self._builder(market.n, market.time)
        builder.snapshot(self.scores, self._worth(market.last_prices, {}), last=True)
        self._record(builder)

    def _publish(self, builder: TickBuilder, *, ranked: bool) -> None:
        market = self.market
        data = {"n": market.n, "time": market.time, "prices": market.prices}
        self._broadcast.publish("tick", data)
        for trade in builder.writes.trades:
            self._broadcast.publish("trade", trade)
        if ranked:
            self._broadcast.publish("leaderboard", {"as_of": market.time})

    # -- work handed over by other threads --------------------------------------------------------------

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Run something on the engine's thread between two ticks."""
        return self._calls.hand_over(work)

    def _serve_until(self, left: Callable[[], float]) -> None:
        """Do what is handed over until no time is left or the engine is to end."""
        while not self._calls.stopping and (seconds := left()) > 0:
            self._calls.serve(min(seconds, 1.0))
        self._calls.serve_all()

    # -- the zygote ---------------------------------------------------------------------------------------

    def zygote_died(self) -> None:
        """Note that the zygote has died, and all workers with it; callable from any thread."""
        self._zygote_died.set()

    def _revive_if_lost(self) -> None:
        if not self._zygote_died.is_set():
            return
        log.error("The process that starts bots has ended; it and its bots are started again")
        self._zygote_died.clear()
        self._pool.restart_zygote()
        for seat in self.roster.seats():
            self.supervisor.end(seat)
            if seat.life in {Life.ACTIVE, Life.STARTING, Life.RESTARTING}:
                seat.life = Life.RECOVERING
        self._recovery.revive_workers()

    # -- reading --------------------------------------------------------------------------------------------

    def source_status(self) -> dict[str, Any]:
        """Return how the market's source is doing."""
        return self._source.status()

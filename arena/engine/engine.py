"""The tick engine: one clock, start / main_loop / on_tick / stop.

It runs on a thread of its own, because the barrier blocks; everything that changes a seat happens
there, between two ticks or in one. `call` hands work over from other threads.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
import time as real_time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine as Database
from sqlalchemy.exc import SQLAlchemyError

from arena.core.exchange import Rules
from arena.core.scoring import SNAPSHOT_EVERY
from arena.engine.broadcast import Broadcast
from arena.engine.recovery import Recovery
from arena.engine.roster import Roster
from arena.engine.seat import Life
from arena.engine.sources import MarketState, ReplaySource, Source, next_beat
from arena.engine.supervisor import Supervisor
from arena.engine.tick import TickBuilder, pack_rows
from arena.log import RateLimit
from arena.store.models import Season
from arena.store.recorder import Recorder
from arena.store.seasons import close_season
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
        source: Source,
        season: Season,
        broadcast: Broadcast,
        *,
        min_free_disk: int = 0,
        disk: Path | None = None,
    ) -> None:
        self.season = season
        self.market = MarketState(symbols=tuple(sorted(source.symbols)))
        self.state = "starting"
        self.tick_seconds = 0.0
        self.rules = Rules(season.starting_cash, season.fee_bps, season.slippage_bps)
        self._database = database
        self._pool = pool
        self._source = source
        self._broadcast = broadcast
        self._recorder = Recorder(database)
        live = not isinstance(source, ReplaySource)
        deadline = min(0.5 * season.interval, 1.0) if live else None
        self._live = live
        self.supervisor = Supervisor(pool, self.rules, season.seed, deadline)
        self.roster = Roster(database, self)
        self._limit = RateLimit()
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self._stopping = threading.Event()
        self._min_free, self._disk = min_free_disk, disk
        self._zygote_died = threading.Event()
        self._released = threading.Event()

    # -- life -----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live: start, loop, stop. The thread's target."""
        try:
            self.start()
            self.main_loop()
        except Exception:
            log.exception("The engine has stopped because of a fault of its own")
            self.state = "failed"
        finally:
            self.stop()

    def start(self) -> None:
        """Bring accounts and workers back to where the last recorded tick left them."""
        self.state = "recovering"
        Recovery(self._database, self._pool, self).run()
        self.state = "running"

    def main_loop(self) -> None:
        """Tick until told to stop; a replay goes as fast as it can and ends with its market."""
        if isinstance(self._source, ReplaySource):
            self._replay_loop(self._source)
            return
        while not self._stopping.is_set() and self.state != "finished":
            beat = next_beat(max(real_time.time(), self.market.time), self.season.interval)
            if self._serve_calls(beat) and self.state != "finished":
                self.on_tick(self.market.n + 1, beat)
        self._rest()

    def _replay_loop(self, source: ReplaySource) -> None:
        total = len(source.market)
        # A recording has no hurry of its own: it begins when the bots that should play it are in.
        while not self._stopping.is_set() and not self._released.is_set():
            self._serve_calls(real_time.time() + 0.05)
        while not self._stopping.is_set() and self.state != "finished" and self.market.n + 1 < total:
            n = self.market.n + 1
            self._serve_calls(0.0)
            self.on_tick(n, source.market.time(n), last=n + 1 == total)
        if self.market.n + 1 >= total and not self._stopping.is_set():
            self.finish()
            log.info("The replay has ended after %d ticks", total)
        self._rest()

    def finish(self) -> None:
        """Close the season: what waits expires, and no tick follows."""
        if self.state == "finished":
            return
        self.state = "finished"
        self.roster.expire_pending()
        close_season(self._database, self.season.id)
        self.season.status = "closed"
        log.info("Season %d is closed after tick %d", self.season.number, self.market.n)
        self._broadcast.publish("status", {})

    def _rest(self) -> None:
        """Serve calls after the last tick, until told to stop."""
        while not self._stopping.is_set():
            self._serve_calls(real_time.time() + 1.0)

    def stop(self) -> None:
        """End all workers; what was recorded stays."""
        self._stopping.set()
        self.roster.end_all()
        if self.state != "failed":
            self.state = "stopped"
        self._drain_calls()

    def release(self) -> None:
        """Let a replay begin: the bots that should play are in."""
        self._released.set()

    def shut_down(self) -> None:
        """Ask the loop to end after the tick it is in; callable from any thread."""
        self._stopping.set()
        self._calls.put(lambda: None)

    # -- work handed over by other threads --------------------------------------------------------------

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Run something on the engine's thread between two ticks."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except Exception as error:  # noqa: BLE001 - handed to the caller, who waits for it
                    future.set_exception(error)

        if self.state in {"stopped", "failed"}:
            run()
        else:
            self._calls.put(run)
        return future

    def _serve_calls(self, until: float) -> bool:
        """Serve calls until a wall time; False where the loop is to end."""
        while not self._stopping.is_set():
            left = until - real_time.time()
            try:
                work = self._calls.get(timeout=left) if left > 0 else self._calls.get_nowait()
            except queue.Empty:
                return True
            work()
        return False

    def _drain_calls(self) -> None:
        while True:
            try:
                self._calls.get_nowait()()
            except queue.Empty:
                return

    # -- the tick -----------------------------------------------------------------------------------------

    def on_tick(self, n: int, time: float, *, last: bool = False) -> None:
        """Settle, ask, record, publish; state is replaced only after the tick is recorded."""
        started = real_time.monotonic()
        prices = self._source.prices_at(n, time, self.market.prices)
        if not prices:
            log.info(WAITING)
            self.state = "waiting"
            return
        self.state = "running"
        if self._zygote_died.is_set():
            self._revive_zygote()
        self.market.admit_symbols(prices)
        last_prices = {**self.market.last_prices, **prices}
        builder = TickBuilder(self.season.id, n, time, self.rules, self._recorder, self._limit)
        seats = self.roster.seats()
        self._launch_due(n)
        self.supervisor.collect_starts(seats, builder)
        builder.settle(seats, prices, last_prices, self._source.stale(time))
        rows = pack_rows(time, self.market.symbols, prices)
        self.supervisor.ask(seats, rows, self.market.symbols, self.market.version, builder)
        builder.entry_updates()
        ranked = builder.snapshot(seats, self.season.interval * SNAPSHOT_EVERY, last=last)
        if not self._record(builder):
            return
        builder.apply()
        self.market.n, self.market.time = n, time
        self.market.prices, self.market.last_prices = prices, last_prices
        self._publish(builder, ranked=ranked)
        self.tick_seconds = real_time.monotonic() - started

    def _launch_due(self, n: int) -> None:
        for seat in self.supervisor.restart_due(self.roster.seats(), n):
            self.launch(seat)

    def launch(self, seat: Any) -> None:
        """Start a seat's worker with the market as it stands."""
        market = self.market
        start = self.supervisor.start_meta(seat, market.symbols, market.time, market.prices, market.last_prices)
        self.supervisor.launch(seat, start)

    def _record(self, builder: TickBuilder) -> bool:
        """Write the tick; where the database is away or full, the clock stands until it is back."""
        while True:
            try:
                self._check_disk()
                self._recorder.record(builder.writes)
            except (SQLAlchemyError, OSError) as error:
                self.state = "waiting"
                log.error("Tick %d cannot be recorded, the clock stands: %s", builder.n, error)
                if self._stopping.wait(1.0):
                    return False
            else:
                return True

    def _check_disk(self) -> None:
        if self._disk is None or not self._min_free:
            return
        free = shutil.disk_usage(self._disk).free
        if free < self._min_free:
            raise OSError(f"only {free >> 20} MiB of disk are free (MIN_FREE_DISK)")

    def _publish(self, builder: TickBuilder, *, ranked: bool) -> None:
        market = self.market
        data = {"n": market.n, "time": market.time, "prices": market.prices}
        self._broadcast.publish("tick", data)
        for trade in builder.trades:
            self._broadcast.publish("trade", trade)
        if ranked:
            self._broadcast.publish("leaderboard", {"as_of": market.time})

    # -- the zygote ---------------------------------------------------------------------------------------

    def zygote_died(self) -> None:
        """Take note from the pool's thread that all workers are gone."""
        self._zygote_died.set()

    def _revive_zygote(self) -> None:
        log.error("The process that starts bots has ended; it and its bots are started again")
        self._zygote_died.clear()
        self._pool.restart_zygote()
        for seat in self.roster.seats():
            self.supervisor.end(seat)
            if seat.life in {Life.ACTIVE, Life.STARTING, Life.RESTARTING}:
                seat.life = Life.RECOVERING
        Recovery(self._database, self._pool, self).revive_workers()

    # -- reading --------------------------------------------------------------------------------------------

    def source_status(self) -> dict[str, Any]:
        """Return how the market's source is doing."""
        return self._source.status()

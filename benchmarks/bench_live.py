"""How long does a live tick take with many locked bots, and what does a bot weigh?

N locked workers with the SMA bot play a live season: the real engine, a beat a second, every tick recorded
in SQLite. Between the beats a bare pipe barrier over N trivial forked children gives the machine's own
measure. With `--offenders` a share of the bots turns slow, dead or spinning after as many clean beats, and
the others are timed before and after.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arena.core.exchange import Rules
from arena.engine.backtest.run import hash_source
from arena.engine.live.broadcast import Broadcast
from arena.engine.live.engine import Engine
from arena.engine.live.garbage import keep_for_good
from arena.engine.live.snapshots import Snapshots
from arena.engine.live.sources import SyntheticSource
from arena.engine.seat import Life, Seat
from arena.feeds.synthetic import SyntheticMarket
from arena.store.database import open_database, upgrade
from arena.store.seasons import NewBot, SeasonPlan, resume_or_open, season_seeds
from arena.store.snapshots import newest_ticks
from benchmarks import telling
from benchmarks.bare_pipes import BarePipes
from benchmarks.bench_replay import SOURCE
from sandbox.pool import Pool
from sandbox.process.launch import ZygoteLaunch
from sandbox.process.limits import Limits
from sandbox.talk.gather import GatherRound
from sandbox.talk.request import WorkerReply, WorkerRequest
from sandbox.talk.worker import Worker

RUNTIME = "arena.runtime.bot:BotRuntime"
SYMBOLS = ("BTCUSDT",)
WARM = 40
# Descriptors for all but the pipes of bots.
_OURS = 500
# KiB of memory for a bot, with something to spare.
_ROOM = 2200
# Offenders begin when the market's clock, which is ours to set, passes this.
BEGIN = 3_000_000_000.0
_HEAD = "def on_tick(ctx, tick):\n"
SPINS = SOURCE.replace(_HEAD, f"{_HEAD}    while tick['time'] >= {BEGIN}: pass\n")
SLOW = SOURCE.replace(_HEAD, f"{_HEAD}    for _ in range(6_000_000 if tick['time'] >= {BEGIN} else 0): pass\n")


class Stopwatch:
    """Notes when the last of the watched workers answered, counted from the first request."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.offenders: set[int] = set()
        self._began = 0.0

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch every round of the barrier."""
        begin, take, close = GatherRound.__init__, GatherRound._read_group, GatherRound._close  # noqa: SLF001 - timed where it happens

        def timed_begin(round_: GatherRound, asks: Sequence[WorkerRequest], busy: Iterable[Worker] = ()) -> None:
            self._began, self.seconds = time.perf_counter(), 0.0
            begin(round_, asks, busy)

        def timed_take(round_: GatherRound, first: int, group: Sequence[WorkerRequest]) -> None:
            take(round_, first, group)
            for ask, answer in zip(group, round_.replies[first:], strict=True):
                if answer is not None and ask.worker.pid not in self.offenders:
                    self.seconds = time.perf_counter() - self._began
                    return

        def timed_close(round_: GatherRound, index: int, answer: WorkerReply) -> None:
            close(round_, index, answer)
            if round_.requests[index].worker.pid not in self.offenders:
                self.seconds = time.perf_counter() - self._began

        GatherRound.__init__, GatherRound._read_group, GatherRound._close = timed_begin, timed_take, timed_close  # type: ignore[method-assign]  # noqa: SLF001
        try:
            yield
        finally:
            GatherRound.__init__, GatherRound._read_group, GatherRound._close = begin, take, close  # type: ignore[method-assign]  # noqa: SLF001


class Season:
    """A live season in a database of its own, its clock beaten by `beat`."""

    def __init__(self, folder: str, limits: Limits, begun: ZygoteLaunch | None = None) -> None:
        self.pool = Pool(RUNTIME, limits, begun=begun)
        self.pool.start()
        self._database = open_database(f"sqlite:///{folder}/lab.db")
        upgrade(self._database)
        plan = SeasonPlan("synthetic", SYMBOLS, 1.0, Rules(), 7)
        self._season, _ = resume_or_open(self._database, plan, runtime={})
        source = SyntheticSource(SyntheticMarket(season_seeds(self._database, self._season.id).market, SYMBOLS, 1.0))
        self.engine = Engine(self._database, self.pool, source, self._season, Broadcast())
        self.engine.start()
        keep_for_good()
        self._programs: dict[str, bytes] = {}

    def admit(self, number: int, source: str) -> Seat:
        """Let one more bot take part; all bots of a source share one check."""
        if source not in self._programs:
            self._programs[source] = self.pool.check(source.encode()).program
        text = f"{source}# {number}\n"
        new = NewBot(f"SMA {number}", "local", "upload", text, hash_source(text.encode()), SYMBOLS)
        return self.engine.roster.get(self.engine.roster.admit(new, self._programs[source]).bot.id)

    def beat(self, at_least: float = 0.0) -> None:
        """Tick once, a second of the market's clock later."""
        market = self.engine.market
        self.engine.on_tick(market.n + 1, max(market.time + 1.0, 1_700_000_000.0, at_least))

    def settle_in(self) -> None:
        """Beat until every bot has been loaded; RuntimeError where some never are."""
        patience = time.monotonic() + 300.0
        while late := sum(not seat.started for seat in self.engine.roster.seats()):
            if time.monotonic() > patience:
                raise RuntimeError(f"{late} bots cannot be started; the log says why")
            time.sleep(0.05)
            self.beat()

    def events(self, after: int) -> dict[str, set[str]]:
        """Return what happened to bots since a tick, as bot ids by event."""
        found: dict[str, set[str]] = {}
        with self._database.connect() as connection:
            rows = connection.exec_driver_sql("SELECT event, bot_id FROM bot_ticks WHERE tick > ?", (after,))
            for event, bot_id in rows:
                found.setdefault(event, set()).add(bot_id)
        return found

    def keeper(self, minutes: float, clock: Callable[[], float]) -> Snapshots:
        """Return what saves this season's bots."""
        return Snapshots(self._database, self.pool, self.engine._state, minutes, clock)  # noqa: SLF001 - as the engine makes its own

    def saved(self) -> int:
        """Return how many bots have a snapshot."""
        return len(newest_ticks(self._database, self._season.id))

    def stop(self) -> None:
        """End everything."""
        self.engine.stop()
        self.pool.stop()
        self._database.dispose()


def memory() -> tuple[int, int]:
    """Return the machine's MemAvailable, and what the kernel itself uses for processes, in KiB."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    known = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return known["MemAvailable"], known["PageTables"] + known["KernelStack"] + known["SUnreclaim"]


def private(seats: Sequence[Seat]) -> float | None:
    """Return the median of what some workers have to themselves, in KiB; None where that may not be read."""
    found = []
    for seat in seats[:: max(1, len(seats) // 20)]:
        try:
            text = Path(f"/proc/{seat.worker.pid}/smaps_rollup").read_text(encoding="ascii")  # type: ignore[union-attr]
        except OSError:
            return None
        found.append(sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")))
    return statistics.median(found)


def high(values: Sequence[float], share: float = 0.99) -> float:
    """Return a high percentile in milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


def measure(bots: int = 1000, ticks: int = 30, offenders: float = 0.0) -> dict[str, Any]:
    """Play a season of so many bots and return its figures; beside as many bare children as descriptors last for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    limits = Limits(uid_count=max(10_000, 2 * bots))
    beside = max(1, min(bots, (most - 2 * bots - _OURS) // 2))
    bare = BarePipes(beside, 80, nice=Limits().nice)
    with tempfile.TemporaryDirectory() as folder:
        season = Season(folder, limits)
        try:
            found = _measure(season, bare, bots, ticks, offenders)
        finally:
            season.stop()
            bare.stop()
    if beside < bots:
        # Fewer are another barrier.
        found = {name: value for name, value in found.items() if "bare" not in name}
    return found


def _measure(season: Season, bare: BarePipes, bots: int, ticks: int, offenders: float) -> dict[str, Any]:
    bad = int(bots * offenders)
    sources = [(SLOW, SPINS, SOURCE)[number % 3] if number < bad else SOURCE for number in range(bots)]
    before, began = memory(), time.perf_counter()
    seats = [season.admit(number, source) for number, source in enumerate(sources)]
    admitted = time.perf_counter() - began
    season.settle_in()
    for _ in range(WARM):
        season.beat()
    time.sleep(0.3)
    after = memory()
    own = private(seats[bad:])
    watch = Stopwatch()
    clean = _beats(season, bare, watch, [], ticks)[0] if bad else []
    _misbehave(season, watch, seats, bad)
    first = season.engine.market.n
    rounds, whole, plain = _beats(season, bare, watch, seats[:bad], ticks)
    events = season.events(first)
    honest = {seat.id for seat in seats[bad:]}
    missed = set().union(*(ids for event, ids in events.items() if event != "start")) & honest
    against = {"clean_ms_p99": high(clean), "p99_over_clean": round(high(rounds) / high(clean), 2)} if bad else {}
    return {
        "question": "a live tick with many locked bots", "bots": bots, "ticks": ticks, "offenders": bad,
        "barrier_ms_p50": high(rounds, 0.5), "barrier_ms_p99": high(rounds),
        "tick_ms_p50": high(whole, 0.5), "tick_ms_p99": high(whole),
        "bare_ms_p50": high(plain, 0.5), "bare_ms_p99": high(plain),
        "barrier_over_bare_p50": round(statistics.median(rounds) / statistics.median(plain), 2),
        "honest_bots_that_missed_a_tick": len(missed),
        "events": {event: len(ids) for event, ids in sorted(events.items())},
        "mem_available_kib_per_bot": round((before[0] - after[0]) / bots),
        "private_kib_per_bot": own, "kernel_kib_per_bot": round((after[1] - before[1]) / bots),
        "admit_ms_per_bot": round(1000 * admitted / bots, 2),
        "running": sum(seat.life is Life.ACTIVE for seat in seats), **against,
    }  # fmt: skip


def _beats(
    season: Season, bare: BarePipes, watch: Stopwatch, offenders: Sequence[Seat], ticks: int
) -> tuple[list[float], list[float], list[float]]:
    """Beat so many times; return the seconds of the barriers, of the whole ticks and of the bare barriers."""
    rounds, whole, plain = [], [], []
    with watch.installed():
        for _ in range(ticks):
            time.sleep(1.0 - time.time() % 1.0)
            _note_pids(watch, offenders)
            started = time.perf_counter()
            season.beat()
            whole.append(time.perf_counter() - started)
            rounds.append(watch.seconds)
            if time.time() % 1.0 < 0.8:
                plain.append(bare.rounds())
    return rounds, whole, plain


def _misbehave(season: Season, watch: Stopwatch, seats: Sequence[Seat], bad: int) -> None:
    """Let the offenders begin: the dead die, and every one of them has its first strike."""
    if not bad:
        return
    _note_pids(watch, seats[:bad])
    for seat in seats[2:bad:3]:
        if seat.worker is not None:
            os.kill(seat.worker.pid, signal.SIGKILL)
    season.beat(BEGIN)
    season.beat()


def _note_pids(watch: Stopwatch, seats: Sequence[Seat]) -> None:
    watch.offenders = {seat.worker.pid for seat in seats if seat.worker is not None}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bots", type=int, nargs="*", default=[1000])
    parser.add_argument("--ticks", type=int, default=30)
    parser.add_argument("--offenders", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    logging.disable(logging.WARNING)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = []
    for bots in told.bots:
        if 2 * bots + _OURS > most:
            print(f"{bots} bots are left out: they need {2 * bots + _OURS} descriptors, the limit is {most}")
        elif _ROOM * bots > memory()[0]:
            print(f"{bots} bots are left out: they need {_ROOM * bots >> 20} GiB of memory")
        else:
            found.append(measure(bots, told.ticks, told.offenders))
    for figures in found:
        telling.show(figures)
    telling.write(found, told.json)


if __name__ == "__main__":
    sys.exit(main())

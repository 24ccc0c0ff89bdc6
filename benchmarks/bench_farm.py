"""How much sooner are many backtests done where two machines of the farm play them instead of one?

The bots of one backtest are played in lockstep by one `arena farm run`, then by two, each a process with a pool of its
own and one CPU for it and its bots; who asks plays none. Rounds take turns. Two CPUs are two such machines, so that
twice is what cannot be passed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine as Database
from sqlalchemy import text

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import LOCKSTEP, BotSource, CheckedBot, check_candidates
from arena.hosts.backtests import BACKTEST, BacktestWork, FarmPlays
from arena.hosts.farm import Farm
from arena.store.database import open_database, upgrade
from benchmarks import telling
from benchmarks.bench_replay import SOURCE
from sandbox.pool import Pool
from sandbox.process.limits import Limits

_PATIENCE = 600.0


def _start(folder: str, place: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "farm", "run", "--db", f"{folder}/farm.db"],
        env={**os.environ, "SANDBOX_UID_BASE": str(40_000 + 5_000 * place), "LOG_LEVEL": "ERROR"},
        stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    # All that it starts has this one CPU as well.
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(process.pid, {cpus[place % len(cpus)]})
    return process


def _market(ticks: int) -> RecordedMarket:
    steps = np.random.default_rng(1).normal(0.0, 1e-3, ticks)
    rows = np.column_stack([1e9 + 60.0 * np.arange(ticks), 100.0 * np.exp(np.cumsum(steps))])
    return RecordedMarket(("BTCUSDT",), rows)


def measure(bots: int = 16, ticks: int = 20_000, rounds: int = 5) -> dict[str, Any]:
    """Play the backtest in turns on one worker and on two, and return the figures."""
    market, rules, took = _market(ticks), Rules(), {1: list[float](), 2: list[float]()}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:
        database = open_database(f"sqlite:///{folder}/farm.db")
        ends.callback(database.dispose)
        upgrade(database)
        pool = Pool("arena.runtime.bot:BotRuntime", Limits())
        pool.start()
        ends.callback(pool.stop)
        entries = check_candidates(pool, [BotSource(f"{n}.py", SOURCE.encode()) for n in range(bots)])
        plays = FarmPlays(Farm(database, pool, {BACKTEST: BacktestWork()}, _PATIENCE))
        for _ in range(rounds):
            for count, seconds in took.items():
                seconds.append(_timed(database, folder, count, plays, (entries, market, rules)))
    one, two = (statistics.median(took[count]) for count in took)
    ratios = [first / second for first, second in zip(took[1], took[2], strict=True)]
    return {
        "question": "a backtest of many bots on the farm", "bots": bots, "ticks": ticks, "rounds": rounds,
        "one_s": round(one, 3), "two_s": round(two, 3), "ratio": round(statistics.median(ratios), 2),
        "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
    }  # fmt: skip


def _takers(database: Database) -> int:
    with database.connect() as connection:
        return int(
            connection.execute(text("SELECT count(DISTINCT taken_by) FROM farm_jobs WHERE taken_by > ''")).scalar_one()
        )


def _timed(
    database: Database,
    folder: str,
    count: int,
    plays: FarmPlays,
    what: tuple[list[CheckedBot], RecordedMarket, Rules],
) -> float:
    """Return how long the backtest takes once every worker is up and has done something."""
    entries, market, rules = what
    workers = [_start(folder, place) for place in range(count)]
    try:
        with database.begin() as connection:
            connection.execute(text("DELETE FROM farm_jobs"))
        seeds = itertools.count()
        while _takers(database) < count:
            plays(entries[:count], market, rules, seed=next(seeds), run=LOCKSTEP)
        began = time.perf_counter()
        # A new seed is new work.
        plays(entries, market, rules, seed=next(seeds), run=LOCKSTEP)
        return time.perf_counter() - began
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bots", type=int, default=16)
    parser.add_argument("--ticks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    found = measure(told.bots, told.ticks, told.rounds)
    telling.show(found)
    telling.write(found, told.json)


if __name__ == "__main__":
    main()

"""How quickly is a recording played as a season, with everything recorded?

Eight shipped bots, each in its own locked process and asked one tick at a time, an engine that waits for nothing, and a
fresh SQLite file: ticks a second, and the CPU time of the engine's thread. Beside it, what the bots compute themselves:
the same ticks in run-ahead, where nothing else is done for each tick. With `--before`, the same with another tree of
Arena, in turn, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, telling

ROOT = Path(__file__).parents[1]
SYMBOLS = ("BTCUSDT", "ETHUSDT")
BOTS = 8


def prices(ticks: int) -> Any:
    """Return times and prices of a walk that keeps every shipped bot trading now and then."""
    steps = np.random.default_rng(1).normal(0.0, 5e-4, (ticks, len(SYMBOLS)))
    walk = np.exp(np.cumsum(steps, axis=0)) * np.array([40_000.0, 2_000.0])
    return np.ascontiguousarray(np.column_stack([1.7e9 + np.arange(ticks, dtype=np.float64), walk]))


def play(ticks: int) -> dict[str, float]:
    """Play one season in this process, by the tree that it has loaded; return what it took."""
    from sqlalchemy import text

    from arena.core.exchange import Rules
    from arena.engine.backtest.account import RecordedMarket
    from arena.engine.backtest.run import hash_source
    from arena.engine.live.broadcast import Broadcast
    from arena.engine.live.engine import Engine
    from arena.engine.live.garbage import keep_for_good
    from arena.engine.live.sources import ReplaySource
    from arena.store.database import open_database, upgrade
    from arena.store.seasons import NewBot, SeasonPlan, resume_or_open
    from sandbox.pool import Pool
    from sandbox.process.limits import Limits

    pool = Pool("arena.runtime.bot:BotRuntime", Limits(tick_cpu_soft=5.0, tick_cpu_hard=20.0), pages=True)
    pool.start()
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/lab.db")
        upgrade(database)
        plan = SeasonPlan("replay:walk", SYMBOLS, 1.0, Rules(), seed=7, chance=7)
        season, _ = resume_or_open(database, plan, runtime={})
        engine = Engine(
            database, pool, ReplaySource(RecordedMarket(SYMBOLS, prices(ticks))), season, Broadcast(),
            on_finish=lambda _: engine.shut_down(),
        )  # fmt: skip
        engine.start()
        for source in sources():
            checked = pool.check(source.encode())
            new = NewBot(
                str(checked.facts["name"]), "bench", "upload", source, hash_source(source.encode()),
                tuple(checked.facts["symbols"]),
            )  # fmt: skip
            engine.roster.admit(new, checked.program)
        engine.release()
        keep_for_good()
        wall, cpu = time.perf_counter(), time.thread_time()
        engine.main_loop()
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        with database.connect() as connection:
            played = connection.execute(text("SELECT count(*) FROM ticks")).scalar_one()
        engine.stop()
        database.dispose()
    pool.stop()
    assert played == ticks, played
    return {"ticks_s": ticks / wall, "engine_us_a_tick": cpu / ticks * 1e6}


def sources() -> list[str]:
    """Return eight bots: those that are shipped, and some of them once more under another name."""
    shipped = [path.read_text("utf-8") for path in sorted((ROOT / "bots").glob("*.py"))]
    again = [source.replace('NAME = "', 'NAME = "Again ', 1) for source in shipped]
    return [*shipped, *again][:BOTS]


def bots_alone(ticks: int) -> float:
    """Return the µs that all bots together take for a tick, each in run-ahead."""
    from arena.core.exchange import Rules
    from arena.engine.backtest.market import RecordedMarket
    from arena.engine.backtest.run import BotSource, check_candidates, play_entries
    from sandbox.pool import Pool
    from sandbox.process.limits import Limits

    pool = Pool("arena.runtime.bot:BotRuntime", Limits())
    pool.start()
    try:
        market = RecordedMarket(SYMBOLS, prices(ticks))
        entries = check_candidates(pool, [BotSource(str(n), each.encode()) for n, each in enumerate(sources())])
        began = time.perf_counter()
        for entry in entries:
            play_entries(pool, [entry], market, Rules(), seed=7)
        return round((time.perf_counter() - began) / ticks * 1e6, 1)
    finally:
        pool.stop()


def play_by(tree: Path, ticks: int) -> dict[str, float]:
    """Play one season in a process of its own, by the Arena of a tree."""
    told = [sys.executable, str(Path(__file__).resolve()), "--play", "--ticks", str(ticks)]
    paths = os.pathsep.join([str(tree), str(ROOT)])
    done = subprocess.run(told, cwd=tree, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(ticks: int, rounds: int, before: Path | None) -> dict[str, Any]:
    """Return the medians of several rounds, of both trees where there are two."""
    trees = {"now": ROOT} if before is None else {"before": before, "now": ROOT}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for _ in range(rounds):
        for name, tree in trees.items():
            taken[name].append(play_by(tree, ticks))
    figures = {
        name: {key: round(statistics.median(each[key] for each in found), 1) for key in found[0]}
        for name, found in taken.items()
    }
    return {
        "question": "a recording played as a season", "bots": BOTS, "ticks": ticks, "rounds": rounds, **figures,
        "bots_us_a_tick": bots_alone(ticks),
        "machine": f"{machine.in_words(machine.facts())}, load average {machine.load():.1f}",
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="another tree of Arena, played in turn")
    parser.add_argument("--play", action="store_true", help="play one season in this process")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.play:
        print(json.dumps(play(given.ticks)))
        return
    found = measure(given.ticks, given.rounds, given.before)
    telling.write(found, given.json)
    for name in ("before", "now"):
        if name in found:
            print(f"{name}: {found[name]['ticks_s']:,.0f} ticks/s, {found[name]['engine_us_a_tick']:.0f} µs a tick")


if __name__ == "__main__":
    main()

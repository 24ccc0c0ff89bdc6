"""What does it cost never to let a future price into a bot's process?

Lockstep sends one tick at a time, over a page that the two processes share. One bot: against the same bot in a
plain loop, and beside a bare ping-pong over pipes with a trivial child on the same CPU. Many bots: against a bare pipe
barrier over as many trivial forked children. Rounds are interleaved; medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

from arena.core.exchange import Rules
from arena.engine.backtest.market import RecordedMarket
from arena.engine.backtest.run import BotSource, check_candidates, play_entries
from benchmarks import telling
from benchmarks.bare_pipes import BarePipes
from benchmarks.bench_replay import SOURCE, random_walk
from benchmarks.plain_loop import play
from sandbox.pool import Pool

_FRAME = 32


def measure(rounds: int = 5, ticks: int = 20_000, many: int = 100, many_ticks: int = 500) -> dict[str, Any]:
    """Return all figures of one run."""
    pool = Pool("arena.runtime.bot:BotRuntime", pages=True)
    pool.start()
    try:
        one = _compare(pool, random_walk(ticks), 1, rounds)
        several = _compare(pool, random_walk(many_ticks), many, rounds)
    finally:
        pool.stop()
    return {"question": "lockstep against a plain loop and a bare pipe barrier", "rounds": rounds,
            "one": one, "many": several}  # fmt: skip


def _compare(pool: Pool, market: RecordedMarket, bots: int, rounds: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"plain": [], "bare": [], "lockstep": []}
    rows = market.rows.tolist()
    for _ in range(rounds):
        started = time.perf_counter()
        play(SOURCE, market.symbols, rows)
        seconds["plain"].append((time.perf_counter() - started) * bots)
        seconds["bare"].append(_bare(bots, len(market)))
        seconds["lockstep"].append(_lockstep(pool, market, bots))
    total = bots * len(market)
    rates = {f"{name}_bot_ticks_s": round(total / statistics.median(each)) for name, each in seconds.items()}
    ratios = {
        f"of_{name}": round(statistics.median(
            base / ours for base, ours in zip(seconds[name], seconds["lockstep"], strict=True)), 3)
        for name in ("plain", "bare")
    }  # fmt: skip
    return {"bots": bots, "ticks": len(market), **rates, **ratios}


def _bare(count: int, ticks: int) -> float:
    before = os.sched_getaffinity(0)
    if count == 1:
        os.sched_setaffinity(0, {min(before)})
    children = BarePipes(count, _FRAME)
    try:
        return children.rounds(ticks)
    finally:
        children.stop()
        os.sched_setaffinity(0, before)


def _lockstep(pool: Pool, market: RecordedMarket, bots: int) -> float:
    entries = check_candidates(pool, [BotSource(f"{n}.py", SOURCE.encode()) for n in range(bots)])
    begun: list[float] = []
    # The first ticks come when every bot has been started: starting is another benchmark's question.
    results = play_entries(
        pool, entries, market, Rules(), run=1, pin=True, progress=lambda _: begun or begun.append(time.perf_counter())
    )
    seconds = time.perf_counter() - begun[0]
    assert {result.mode for result in results} == {"lockstep"}
    return seconds


def show(found: dict[str, Any]) -> None:
    """Print the figures as a table."""
    print(
        f"{'lockstep, bot-ticks/s':<24}{'plain loop':>12}{'bare pipes':>12}{'arena':>12}{'of plain':>10}{'of bare':>9}"
    )
    for each in (found["one"], found["many"]):
        name = f"{each['bots']} bots x {each['ticks']:,}"
        rates = [each[f"{key}_bot_ticks_s"] for key in ("plain", "bare", "lockstep")]
        print(
            f"{name:<24}{rates[0]:>12,}{rates[1]:>12,}{rates[2]:>12,}{each['of_plain']:>12.3f}{each['of_bare']:>12.2f}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = measure(given.rounds)
    show(found)
    telling.write(found, given.json)


if __name__ == "__main__":
    main()

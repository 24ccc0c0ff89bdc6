"""What does a locked process of its own cost a replay?

One SMA(10/30) bot: the whole `arena backtest` process, start-up and reports included, against a fresh Python
process that reads the same file with the same loader and plays one plain loop (`plain_loop.py`); and the run
phase against that loop alone. Many bots: against two pinned plain loops at once, which is all that two CPUs
can give. Rounds are interleaved; the figures are medians, the ratios medians of each round's own ratio.
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

from arena.core.exchange import Rules
from arena.engine.backtest.market import RecordedMarket
from arena.engine.backtest.run import BotSource, check_candidates, play_entries
from benchmarks import telling
from benchmarks.plain_loop import play
from sandbox.pool import Pool

ROOT = Path(__file__).parents[1]
SOURCE = """
from collections import deque
NAME = "SMA"
SYMBOLS = ["BTCUSDT"]
fast = deque(maxlen=10)
slow = deque(maxlen=30)
def on_tick(ctx, tick):
    price = ctx.get_price("BTCUSDT")
    fast.append(price)
    slow.append(price)
    if len(slow) < 30:
        return
    up = sum(fast) / 10 > sum(slow) / 30
    held = ctx.get_position("BTCUSDT")
    if up and held == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.01)
    elif not up and held > 0:
        ctx.submit_order("BTCUSDT", "SELL", held)
"""

# The same bot, whose `tick` must be made for it.
LOOKING = SOURCE.replace('ctx.get_price("BTCUSDT")', 'tick["prices"]["BTCUSDT"]')

# The command line itself, which writes down its peak memory at the end: that of a child is its parent's too.
_ARENA = """
import atexit, re, sys
path = sys.argv.pop(1)
def note():
    status = open("/proc/self/status").read()
    open(path, "w").write(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
atexit.register(note)
from arena.cli import main
main()
"""


def random_walk(ticks: int) -> RecordedMarket:
    """Return a market of one symbol and prices in cents."""
    rng = np.random.default_rng(7)
    prices = np.round(69_000 * np.exp(np.cumsum(rng.normal(0, 2e-4, ticks))), 2)
    return RecordedMarket(("BTCUSDT",), np.column_stack([1.7e9 + np.arange(ticks), prices]))


def measure(
    rounds: int = 5, ticks: int = 500_000, many: tuple[int, ...] = (2, 10, 100), many_ticks: int = 20_000
) -> dict[str, Any]:
    """Return all figures of one run."""
    found = {
        "question": "isolated replay against plain loops", "rounds": rounds,
        "one": _one_bot(SOURCE, rounds, ticks), "looking": _one_bot(LOOKING, rounds, ticks),
    }  # fmt: skip
    market = random_walk(many_ticks)
    pool = Pool("arena.runtime.bot:BotRuntime")
    pool.start()
    try:
        found["many"] = [_many_bots(pool, market, bots, rounds) for bots in many]
    finally:
        pool.stop()
    return found


# -- one bot, whole processes -------------------------------------------------------------------------


def _one_bot(source: str, rounds: int, ticks: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bot, data, short = folder / "sma.py", folder / "market.csv", folder / "short.csv"
        bot.write_text(source, "utf-8")
        _write_csv(data, random_walk(ticks))
        _write_csv(short, random_walk(ticks // 5))
        plain, isolated = [], []
        for _ in range(rounds):
            plain.append(_plain_process(bot, data))
            isolated.append(_arena_process(bot, data))
            same = [isolated[-1][key] == plain[-1][key] for key in ("cash", "trades")]
            assert all(same), "the isolated run must make the very same trades"
        small = _arena_process(bot, short)["peak_mb"]
    return {
        "ticks": ticks,
        "plain_process_s": _median(plain, "wall"), "arena_process_s": _median(isolated, "wall"),
        "whole_ratio": _ratio(plain, isolated, "wall"),
        "plain_loop_ticks_s": round(ticks / _median(plain, "seconds")),
        "arena_run_ticks_s": round(ticks / _median(isolated, "seconds")),
        "run_ratio": _ratio(plain, isolated, "seconds"),
        "peak_mb": isolated[-1]["peak_mb"], "peak_mb_of_a_fifth_of_the_ticks": small,
    }  # fmt: skip


def _write_csv(path: Path, market: RecordedMarket) -> None:
    lines = [f"{time:.0f},BTCUSDT,{price:.2f}" for time, price in market.rows.tolist()]
    path.write_text("time,symbol,price\n" + "\n".join(lines) + "\n", "utf-8")


def _plain_process(bot: Path, data: Path) -> dict[str, Any]:
    out = bot.with_suffix(".plain")
    wall = _timed([sys.executable, "-m", "benchmarks.plain_loop", str(bot), str(data)], out)
    return {**json.loads(out.read_text("utf-8")), "wall": wall}


def _arena_process(bot: Path, data: Path) -> dict[str, Any]:
    report = bot.with_suffix(".json")
    peak = bot.with_suffix(".peak")
    arguments = ["backtest", str(bot), "--data", str(data), "--json", str(report)]
    wall = _timed([sys.executable, "-c", _ARENA, str(peak), *arguments], bot.with_suffix(".out"))
    document = json.loads(report.read_text("utf-8"))
    (found,) = document["bots"]
    assert found["mode"] == "run-ahead"
    same = {key: found[key] for key in ("cash", "trades")}
    return {"wall": wall, "seconds": document["seconds"], "peak_mb": int(peak.read_text()) // 1024, **same}


def _timed(command: list[str], out: Path) -> float:
    """Run a command with its output in a file; return the seconds."""
    with out.open("wb") as file:
        started = time.perf_counter()
        subprocess.run(command, stdout=file, cwd=ROOT, check=True)
        return time.perf_counter() - started


# -- many bots, two CPUs ------------------------------------------------------------------------------


def _many_bots(pool: Pool, market: RecordedMarket, bots: int, rounds: int) -> dict[str, Any]:
    loops, isolated = [], []
    for _ in range(rounds):
        loops.append({"seconds": two_loops(market, bots // 2)})
        isolated.append({"seconds": _arena_run(pool, market, bots)})
    total = bots * len(market)
    return {
        "bots": bots, "ticks": len(market),
        "two_loops_bot_ticks_s": round(total / _median(loops, "seconds")),
        "arena_bot_ticks_s": round(total / _median(isolated, "seconds")),
        "ratio": _ratio(loops, isolated, "seconds"),
    }  # fmt: skip


def two_loops(market: RecordedMarket, times: int) -> float:
    """Play the bot so many times in each of two pinned processes; return the seconds."""
    rows, children = market.rows.tolist(), []
    started = time.perf_counter()
    for cpu in (sorted(os.sched_getaffinity(0)) * 2)[:2]:
        pid = os.fork()
        if pid == 0:
            os.sched_setaffinity(0, {cpu})
            for _ in range(times):
                play(SOURCE, market.symbols, rows)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return time.perf_counter() - started


def _arena_run(pool: Pool, market: RecordedMarket, bots: int) -> float:
    """Check, start and play so many bots; return the seconds."""
    started = time.perf_counter()
    entries = check_candidates(pool, [BotSource(f"{n}.py", SOURCE.encode()) for n in range(bots)])
    results = play_entries(pool, entries, market, Rules(), pin=True)
    seconds = time.perf_counter() - started
    assert {result.mode for result in results} == {"run-ahead"}
    return seconds


# -- figures ------------------------------------------------------------------------------------------


def _median(found: list[dict[str, Any]], key: str) -> float:
    return round(statistics.median(each[key] for each in found), 4)


def _ratio(base: list[dict[str, Any]], ours: list[dict[str, Any]], key: str) -> float:
    return round(statistics.median(b[key] / o[key] for b, o in zip(base, ours, strict=True)), 3)


def show(found: dict[str, Any]) -> None:
    """Print the figures as a table."""
    print(f"{'replay':<34}{'plain':>12}{'arena':>12}{'ratio':>8}")
    rows = []
    for name, one in (("process", found["one"]), ("looking at its tick", found["looking"])):
        rows += [
            (f"{name}, {one['ticks']:,} ticks, s", one["plain_process_s"], one["arena_process_s"], one["whole_ratio"]),
            ("its run phase, ticks/s", one["plain_loop_ticks_s"], one["arena_run_ticks_s"], one["run_ratio"]),
        ]  # fmt: skip
    rows += [
        (f"{each['bots']} bots, bot-ticks/s", each["two_loops_bot_ticks_s"], each["arena_bot_ticks_s"], each["ratio"])
        for each in found["many"]
    ]
    for name, plain, arena, ratio in rows:
        print(f"{name:<34}{plain:>12,}{arena:>12,}{ratio:>8.2f}")
    one = found["one"]
    print(f"peak memory: {one['peak_mb']} MiB, of a fifth of the ticks {one['peak_mb_of_a_fifth_of_the_ticks']} MiB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ticks", type=int, default=500_000)
    parser.add_argument("--bots", type=int, nargs="*", default=[2, 10, 100])
    given = parser.parse_args()
    found = measure(given.rounds, given.ticks, tuple(given.bots))
    show(found)
    telling.write(found, given.json)


if __name__ == "__main__":
    main()

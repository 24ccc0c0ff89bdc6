"""What does each trick of sandbox/tuning buy: memory a bot, start, tick?

The same live season with SMA bots, in rounds: with all tricks, without each of them, and with none. CPU times are the
kernel's, of the bots' own processes, so that a busy machine disturbs them little. Beside it: starts with and without
spare children, and a lockstep replay with and without the shared page.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arena.core.exchange import Rules
from arena.engine.backtest.account import RecordedMarket
from arena.engine.backtest.run import BotSource, backtest
from arena.engine.seat import Seat
from benchmarks import machine, telling
from benchmarks.bench_live import RUNTIME, Season, Stopwatch, private
from benchmarks.bench_replay import SOURCE
from sandbox.pool import Pool
from sandbox.process.launch import ZygoteLaunch
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.tuning.plan import TRICKS

_BEATS = 60
_PAUSE = 0.06
_MINOR_FAULTS = 7  # of the fields of /proc/PID/stat behind the name
_STARTS = 30
# A bot that makes so many lists that its garbage collector looks at everything.
_COLLECTING = SOURCE.replace(
    "def on_tick(ctx, tick):\n",
    "KEPT = []\n\ndef on_tick(ctx, tick):\n    KEPT.extend([i] for i in range(30_000))\n"
    "    if len(KEPT) > 90_000: del KEPT[:]\n",
)
_COLLECTORS, _COLLECTING_BEATS = 6, 20


def variants() -> dict[str, tuple[str, ...]]:
    """Return the sets of tricks that are compared, by what is left out."""
    without = {trick: tuple(other for other in TRICKS if other != trick) for trick in TRICKS}
    return {"nothing": TRICKS, **without, "everything": ()}


def season_figures(tricks: Collection[str], bots: int, source: str = SOURCE, beats: int = _BEATS) -> dict[str, float]:
    """Play a season whose zygote has these tricks on."""
    with tempfile.TemporaryDirectory() as folder:
        season = Season(folder, Limits(), begun=ZygoteLaunch(RUNTIME, tricks))
        try:
            seats = [season.admit(number, source) for number in range(bots)]
            season.settle_in()
            start = statistics.median(_cpu(seats))
            faults = _faults(seats)
            walls, watch = [], Stopwatch()
            with watch.installed():
                for _ in range(beats):
                    time.sleep(_PAUSE)
                    season.beat()
                    walls.append(watch.seconds)
            used = statistics.median(_cpu(seats)) - start
            return {
                "private_kib": private(seats) or 0.0,
                "page_tables_kib": statistics.median(_page_tables(seats)),
                "start_cpu_ms": 1000 * start,
                "tick_cpu_us": 1e6 * used / beats,
                "tick_us_a_bot": 1e6 * statistics.median(walls) / bots,
                "slowest_tick_us_a_bot": 1e6 * max(walls) / bots,
                "faults_a_bot": float(np.median(np.subtract(_faults(seats), faults))),
            }
        finally:
            season.stop()


def _cpu(seats: Sequence[Seat]) -> list[float]:
    return [seat.worker.cpu() for seat in seats if seat.worker is not None]


def _faults(seats: Sequence[Seat]) -> list[int]:
    found = []
    for seat in seats:
        text = Path(f"/proc/{seat.worker.pid}/stat").read_text(encoding="ascii")  # type: ignore[union-attr]
        found.append(int(text.rpartition(")")[2].split()[_MINOR_FAULTS]))
    return found


def _page_tables(seats: Sequence[Seat]) -> list[int]:
    found = []
    for seat in seats:
        text = Path(f"/proc/{seat.worker.pid}/status").read_text(encoding="ascii")  # type: ignore[union-attr]
        found += [int(line.split()[1]) for line in text.splitlines() if line.startswith("VmPTE")]
    return found


def start_ms(*, spares: bool) -> float:
    """Return the median milliseconds of a check and a start, with spare children or without."""
    pool, seconds = Pool(RUNTIME), []
    pool.start()
    try:
        if spares:
            pool.keep_ready()
        for number in range(_STARTS):
            time.sleep(0.15)
            began = time.perf_counter()
            program = pool.check(f"{SOURCE}# {number}\n".encode()).program
            worker, request = pool.spawn(program, b"")
            # An empty start is refused by the runtime at once: what is timed is the child.
            gather([request])
            seconds.append(time.perf_counter() - began)
            worker.close()
    finally:
        pool.stop()
    return 1000 * statistics.median(seconds)


def lockstep_ticks_per_second(ticks: int, *, pages: bool) -> float:
    """Return how many ticks a second one bot plays in lockstep, over the shared page or over pipes."""
    prices = 100.0 + np.sin(np.arange(ticks) / 50.0)
    market = RecordedMarket(("BTCUSDT",), np.column_stack([1_700_000_000.0 + np.arange(ticks), prices]))
    pool = Pool(RUNTIME, pages=pages)
    pool.start()
    try:
        began = time.perf_counter()
        backtest(pool, [BotSource("sma.py", SOURCE.encode())], market, Rules(), run=1)
        return ticks / (time.perf_counter() - began)
    finally:
        pool.stop()


def measure(bots: int, rounds: int) -> dict[str, Any]:
    """Run all variants in turns, so many times, and return the medians."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in variants()}
    beside: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, tricks in variants().items():
            figures = season_figures(tricks, bots)
            collecting = season_figures(tricks, _COLLECTORS, _COLLECTING, _COLLECTING_BEATS)
            found[name].append({**figures, "collecting_private_kib": collecting["private_kib"]})
        for key, on in (("with", True), ("without", False)):
            beside.setdefault(f"start_ms_{key}_spares", []).append(start_ms(spares=on))
            beside.setdefault(f"lockstep_per_s_{key}_page", []).append(lockstep_ticks_per_second(20_000, pages=on))
    rows = {
        name: {key: round(statistics.median(one[key] for one in each), 2) for key in each[0]}
        for name, each in found.items()
    }
    return {
        "question": "what each trick of the sandbox buys", "bots": bots, "rounds": rounds, "without": rows,
        **{key: round(statistics.median(values), 1) for key, values in beside.items()},
        "machine": machine.in_words(machine.facts()), "load": machine.load(),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    logging.disable(logging.WARNING)
    figures = measure(told.bots, told.rounds)
    for name, row in figures["without"].items():
        print(f"without {name:12}", row)
    telling.show({key: value for key, value in figures.items() if key != "without"})
    telling.write(figures, told.json)


if __name__ == "__main__":
    main()

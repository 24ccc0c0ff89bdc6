"""Does a live tick notice that bots' memories are saved between the ticks, and what does a snapshot cost?

Locked workers with the shipped bots play a live season, the real engine and SQLite. Blocks of beats with and without
snapshots take turns in one run; with them as many bots have their turn before a beat as with `SNAPSHOT_MINUTES=10`.
Then each bot is saved and restored once.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from arena.engine.live.snapshots import Snapshots
from benchmarks import telling
from benchmarks.bench_live import Season, Stopwatch, high
from sandbox.process.limits import Limits
from sandbox.talk.gather import gather
from sandbox.talk.snapshot import read_restored, read_snapshot

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [path.read_text("utf-8") for path in sorted((ROOT / "bots").glob("*.py"))]
_BLOCK, _MINUTES = 20, 10.0


class _Clock:
    """A second a beat, however long a beat takes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _blocks(season: Season, keeper: Snapshots, clock: _Clock, ticks: int) -> tuple[list[float], list[float], float]:
    """Beat in turns; return the barriers' seconds without and with snapshots, and the seconds spent on saving."""
    watch, saving = Stopwatch(), 0.0
    found: tuple[list[float], list[float]] = ([], [])
    with watch.installed():
        for beat in range(2 * ticks):
            saves = beat // _BLOCK % 2 == 1
            if saves:
                clock.now += 1.0
                began = time.perf_counter()
                keeper.between_ticks(season.engine.roster.seats(), 1.0)
                saving += time.perf_counter() - began
            time.sleep(0.02)
            season.beat()
            found[saves].append(watch.seconds)
    return *found, saving


def _each(season: Season) -> dict[str, float]:
    """Save and restore every bot once; return medians."""
    pool, sizes, save, restore = season.pool, [], [], []
    for seat in season.engine.roster.seats():
        assert seat.worker is not None
        seat.worker.allow_frame(pool.limits.snapshot_bytes + 1)
        began = time.perf_counter()
        (reply,) = gather([pool.snapshot_request(seat.worker)])
        save.append(time.perf_counter() - began)
        taken = read_snapshot(reply.payload or b"", pool.limits.snapshot_bytes)
        if taken.data is None:
            continue
        sizes.append(len(taken.data))
        began = time.perf_counter()
        worker, ask = pool.spawn_restored(seat.program, taken.data)
        (reply,) = gather([ask])
        restore.append(time.perf_counter() - began)
        if read_restored(reply.payload or b""):
            raise RuntimeError(f"{seat.name} cannot be restored")
        worker.close()
    return {
        "snapshot_bytes_p50": statistics.median(sizes), "save_ms_p50": high(save, 0.5), "save_ms_p99": high(save),
        "restore_ms_p50": high(restore, 0.5), "restored": len(restore),
    }  # fmt: skip


def measure(bots: int = 200, ticks: int = 300) -> dict[str, Any]:
    """Play a season of so many bots and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        season = Season(folder, Limits(uid_count=max(10_000, 2 * bots)))
        try:
            for number in range(bots):
                season.admit(number, SOURCES[number % len(SOURCES)])
            season.settle_in()
            clock = _Clock()
            keeper = season.keeper(_MINUTES, clock)
            without, with_, saving = _blocks(season, keeper, clock, ticks)
            p99 = {"without": high(without), "with": high(with_)}
            return {
                "question": "a live tick while bots' memories are saved", "bots": bots, "ticks": ticks,
                "barrier_ms_p50_without": high(without, 0.5), "barrier_ms_p50_with": high(with_, 0.5),
                "barrier_ms_p99_without": p99["without"], "barrier_ms_p99_with": p99["with"],
                "p99_with_over_without": round(p99["with"] / p99["without"], 3),
                "saved": season.saved(), "saving_ms_a_tick": round(1000 * saving / ticks, 3), **_each(season),
            }  # fmt: skip
        finally:
            season.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bots", type=int, nargs="?", default=200)
    parser.add_argument("--ticks", type=int, default=300)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(arguments.bots, arguments.ticks)
    telling.show(found)
    telling.write(found, arguments.json)


if __name__ == "__main__":
    main()

"""How long from a posted source to the first answered tick?

Posted over HTTP to the real app on a loopback port: checked in a locked checker, stored in SQLite, admitted,
started in a locked worker, loaded, asked. The trial run is one tick long, so that what is timed is the way
and not the rehearsal. Beside it the same without HTTP and trial, and bare forks of this very process.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.bench_live import Season, high
from benchmarks.bench_replay import SOURCE
from sandbox.limits import Limits


def bare_fork() -> float:
    """Fork a child of this process that writes one byte, and wait for it."""
    began = time.perf_counter()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, b"x")
        os._exit(0)
    os.close(write)
    os.read(read, 1)
    os.waitpid(pid, 0)
    os.close(read)
    return time.perf_counter() - began


def measure(bots: int = 100) -> dict[str, Any]:
    """Start so many bots one after the other and return the figures."""
    direct, forks = _direct(bots)
    posted = _posted(min(bots, 50))
    return {
        "question": "from a source to its first answered tick", "bots": bots,
        "direct_ms_p50": high(direct, 0.5), "direct_ms_p99": high(direct),
        "http_ms_p50": high(posted, 0.5), "http_ms_p99": high(posted),
        "bare_fork_ms_p50": high(forks, 0.5),
        "direct_in_bare_forks": round(statistics.median(direct) / statistics.median(forks), 1),
    }  # fmt: skip


def _direct(bots: int) -> tuple[list[float], list[float]]:
    seconds, forks = [], []
    with tempfile.TemporaryDirectory() as folder:
        season = Season(folder, Limits())
        try:
            season.beat()
            for number in range(bots):
                began = time.perf_counter()
                seat = season.admit(number, f"{SOURCE}# bot {number}\n")
                assert seat.worker is not None
                select.select([seat.worker.fileno()], [], [], 10)
                while not seat.started:
                    season.beat()
                seconds.append(time.perf_counter() - began)
                season.engine.roster.retire(seat.id)
                forks.append(bare_fork())
        finally:
            season.stop()
    return seconds, forks


def _posted(bots: int) -> list[float]:
    from tests.arenas import running, settings_for

    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(Path(folder), trial_ticks=1, tick_interval_seconds=3600.0)
        with running(settings, Path(folder)) as arena:
            engine = arena.arena.engine

            def tick() -> None:
                engine.on_tick(engine.market.n + 1, max(engine.market.time, time.time()) + 1.0)

            engine.call(tick).result()
            for number in range(bots):
                source = SOURCE.replace('"SMA"', f'"SMA {number}"')
                began = time.perf_counter()
                _post(arena.client, source)
                seat = arena.seat(f"SMA {number}")
                while not seat.started:
                    engine.call(tick).result()
                seconds.append(time.perf_counter() - began)
                engine.call(lambda seat=seat: engine.roster.retire(seat.id)).result()  # type: ignore[misc]
    return seconds


def _post(client: httpx2.Client, source: str) -> None:
    answer = client.post("/api/v1/bots", json={"source": source})
    assert answer.status_code == 201, answer.text


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=100)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    logging.disable(logging.WARNING)
    figures = measure(told.bots)
    for name, value in figures.items():
        print(f"{name:32} {value}")
    if told.json is not None:
        told.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

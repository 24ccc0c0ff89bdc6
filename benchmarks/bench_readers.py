"""Is the board quick while a thousand bots play, and do the bots notice its readers?

The real server with its engine at a beat a second and so many locked bots; a process of its own asks for the
whole board 200 times a second, on a fixed schedule, so that a slow answer delays no question. Before that the
same bots play as long without a reader.
"""

from __future__ import annotations

import argparse
import json
import logging
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

from arena.engine.live.garbage import keep_for_good
from benchmarks import telling
from benchmarks.bench_board import Line
from benchmarks.bench_live import high
from benchmarks.bench_replay import SOURCE
from tests.arenas import Running, running, settings_for, until

PATH = "/api/v1/leaderboard?limit=1000"
LINES = 16


def ask_on_schedule(address: tuple[str, int], rate: float, seconds: float) -> list[float]:
    """Ask at a steady rate; return the seconds from each question's due time to the end of its answer."""
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    idle = deque(Line(address, request) for _ in range(LINES))
    due_at: dict[Line, float] = {}
    taken: list[float] = []
    waiting: deque[float] = deque()
    started, asked, count = time.perf_counter(), 0, int(rate * seconds)
    with selectors.EpollSelector() as selector:
        for line in idle:
            selector.register(line, selectors.EVENT_READ, line)
        while len(taken) < count:
            now = time.perf_counter()
            while asked < count and started + asked / rate <= now:
                waiting.append(started + asked / rate)
                asked += 1
            while waiting and idle:
                line = idle.popleft()
                due_at[line] = waiting.popleft()
                line.ask()
            for key, _ in selector.select(max(0.0, started + asked / rate - now) if asked < count else 1.0):
                if key.data.read():
                    taken.append(time.perf_counter() - due_at.pop(key.data))
                    idle.append(key.data)
    return taken


def ticks(arena: Running, seconds: float) -> list[float]:
    """Return how long each tick has taken meanwhile."""
    engine = arena.arena.engine
    seen, found, end = engine.market.n, [], time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
        if engine.market.n != seen and engine.tick_seconds:
            seen = engine.market.n
            found.append(engine.tick_seconds)
    return found


def measure(bots: int, rate: float, seconds: float) -> dict[str, Any]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(Path(folder), trial_ticks=1, tick_interval_seconds=1.0)
        with running(settings, Path(folder)) as arena:
            keep_for_good()
            for number in range(bots):
                arena.upload(SOURCE.replace('"SMA"', f'"SMA {number}"'))
            seats = arena.arena.engine.roster.seats
            until(lambda: all(seat.started for seat in seats()), "all bots play", 120.0)
            until(lambda: arena.get("/leaderboard?limit=1000")["items"][bots - 1]["equity"], "all are ranked", 60.0)
            alone, missed = ticks(arena, seconds), arena.arena.engine.beats.missed
            host, port = arena.url.removeprefix("http://").split(":")
            command = [sys.executable, "-m", "benchmarks.bench_readers", "--load", host, port, str(rate), str(seconds)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
                beside = ticks(arena, seconds)
                assert reader.stdout is not None
                taken = json.loads(reader.stdout.read())
            missed = arena.arena.engine.beats.missed - missed
    return {
        "question": "the board's readers while many bots play", "bots": bots, "requests_per_second": rate,
        "requests": len(taken), "read_ms_p50": high(taken, 0.5), "read_ms_p99": high(taken),
        "tick_ms_p50": high(beside, 0.5), "tick_ms_p99": high(beside),
        "alone_ms_p50": high(alone, 0.5), "alone_ms_p99": high(alone), "missed_beats": missed,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--load", nargs=4, metavar=("HOST", "PORT", "RATE", "SECONDS"), help="only read, for a parent")
    told = parser.parse_args()
    if told.load:
        host, port, rate, seconds = told.load
        print(json.dumps(ask_on_schedule((host, int(port)), float(rate), float(seconds))))
        return
    logging.disable(logging.WARNING)
    figures = measure(told.bots, told.rate, told.seconds)
    telling.show(figures)
    telling.write(figures, told.json)


if __name__ == "__main__":
    main()

"""How long from a posted source to the first answered tick?

Posted over HTTP to the real app on a loopback port: checked in a locked checker, stored in SQLite, admitted,
started in a locked worker, loaded, asked. The trial run is one tick long, so that what is timed is the way
and not the rehearsal; and the beat comes as soon as the bot is loaded, so that the way is not the clock. One
submission at a time with a pause between, and the first of a server's life apart; then one upon the other
without a pause. Beside it the same without HTTP and trial, and bare forks of this very process.
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
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.bench_live import Season, high
from benchmarks.bench_replay import SOURCE
from sandbox.limits import Limits

# Between two submissions, in which the children that the next one finds ready are made.
_PAUSE = 0.1


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
    first, *posted = _posted(bots, _PAUSE)
    _, *at_once = _posted(min(bots, 50), 0.0)
    return {
        "question": "from a source to its first answered tick", "bots": bots,
        "direct_ms_p50": high(direct, 0.5), "direct_ms_p99": high(direct),
        "http_ms_p50": high(posted, 0.5), "http_ms_p99": high(posted), "http_ms_first": high([first]),
        "at_once_ms_p50": high(at_once, 0.5), "at_once_ms_p99": high(at_once),
        "bare_fork_ms_p50": high(forks, 0.5),
        "direct_in_bare_forks": round(statistics.median(direct) / statistics.median(forks), 1),
    }  # fmt: skip


def _direct(bots: int) -> tuple[list[float], list[float]]:
    seconds, forks = [], []
    with tempfile.TemporaryDirectory() as folder:
        season = Season(folder, Limits())
        try:
            season.pool.keep_ready()
            season.beat()
            for number in range(bots):
                time.sleep(_PAUSE)
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


def _posted(bots: int, pause: float) -> list[float]:
    from tests.arenas import running, settings_for

    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(Path(folder), trial_ticks=1, tick_interval_seconds=3600.0)
        with running(settings, Path(folder)) as arena:
            engine = arena.arena.engine
            client = HTTPConnection(urlsplit(arena.url).netloc)

            def tick() -> None:
                engine.on_tick(engine.market.n + 1, max(engine.market.time, time.time()) + 1.0)

            engine.call(tick).result()
            arena.get("/bots")
            for number in range(bots):
                time.sleep(pause)
                source = SOURCE.replace('"SMA"', f'"SMA {number}"')
                began = time.perf_counter()
                _post(client, source)
                seat = arena.seat(f"SMA {number}")
                assert seat.worker is not None
                select.select([seat.worker.fileno()], [], [], 10)
                while not seat.started:
                    engine.call(tick).result()
                seconds.append(time.perf_counter() - began)
                engine.call(lambda seat=seat: engine.roster.retire(seat.id)).result()  # type: ignore[misc]
            client.close()
    return seconds


def _post(client: HTTPConnection, source: str) -> None:
    """Post by a client that takes little time itself."""
    body = json.dumps({"source": source})
    client.request("POST", "/api/v1/bots", body, {"content-type": "application/json"})
    answer = client.getresponse()
    text = answer.read()
    assert answer.status == 201, text


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

"""What does it cost to play bots on other hosts, and what does the head do for each bot and tick?

The same season is beaten on this machine alone, then by one and by two host programs, each a process of its own with
its own pool, on loopback. The head's cost is the CPU time of its process in a tick, recording included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arena.hosts.link import HostLink
from arena.hosts.listener import HostListener
from arena.store.hosts import add_host
from benchmarks import telling
from benchmarks.bench_live import WARM, Season, high
from benchmarks.bench_replay import SOURCE
from sandbox.process.limits import Limits

_PATIENCE = 120.0
_DEADLINE = 10.0


class Hosts:
    """Host programs on loopback that play for one season."""

    def __init__(self, season: Season, folder: str, count: int) -> None:
        self._links: list[HostLink] = []
        database = season._database  # noqa: SLF001 - as the server hands it on
        self._listener = HostListener(
            database, ("127.0.0.1", 0), self._links.append, _ignore, _ignore, dict[str, dict[str, Any]]
        )
        self._listener.start()
        self._processes = [self._begin(database, folder, place) for place in range(count)]
        end = time.monotonic() + _PATIENCE
        while len(self._links) < count:
            if time.monotonic() > end:
                raise RuntimeError("a host does not join")
            time.sleep(0.05)
        for link in self._links:
            season.engine.hosts.join(link)

    def _begin(self, database: Any, folder: str, place: int) -> subprocess.Popen[bytes]:
        path = Path(folder) / f"{place}.token"
        path.write_text(add_host(database, f"host-{place}"), "utf-8")
        path.chmod(0o600)
        return subprocess.Popen(
            [sys.executable, "-m", "arena", "host", "--server", f"ws://127.0.0.1:{self._listener.port}",
             "--token-file", str(path)],
            env={**os.environ, "SANDBOX_UID_BASE": str(40_000 + 5_000 * place), "LOG_LEVEL": "ERROR"},
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        self._listener.stop()


def _ignore(*_: object) -> None:
    """Take what a listener says of hosts that go."""


def _play(bots: int, ticks: int, hosts: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        season = Season(folder, Limits(uid_count=max(10_000, 2 * bots)))
        # A slow moment of a busy machine shall not cost a host.
        season.engine.supervisor.deadline = _DEADLINE
        found = Hosts(season, folder, hosts) if hosts else None
        try:
            for number in range(bots):
                season.admit(number, SOURCE)
            season.settle_in()
            for _ in range(WARM):
                season.beat()
            return _beats(season, ticks)
        finally:
            season.stop()
            if found is not None:
                found.stop()


def _beats(season: Season, ticks: int) -> dict[str, list[float]]:
    whole, head, there = [], [], []
    for _ in range(ticks):
        time.sleep(0.05)
        began, used = time.perf_counter(), time.process_time()
        season.beat()
        whole.append(time.perf_counter() - began)
        head.append(time.process_time() - used)
        there.append(max((row["tick_seconds"] for row in season.engine.hosts.rows()), default=0.0))
    return {"whole": whole, "head": head, "there": there}


def measure(bots: int = 1000, ticks: int = 60, counts: Sequence[int] = (0, 1, 2)) -> dict[str, Any]:
    """Play the season with each number of hosts and return the figures."""
    found: dict[str, Any] = {"question": "a live tick whose bots other hosts play", "bots": bots, "ticks": ticks}
    plays = [(f"{hosts}_hosts" if hosts else "alone", hosts, bots) for hosts in counts]
    if 2 in counts:
        plays.append(("2_hosts_each", 2, 2 * bots))
    for name, hosts, many in plays:
        times = _play(many, ticks, hosts)
        found[f"tick_ms_p50_{name}"] = high(times["whole"], 0.5)
        found[f"tick_ms_p99_{name}"] = high(times["whole"])
        found[f"head_us_a_bot_{name}"] = round(1e6 * statistics.median(times["head"]) / many, 2)
        if hosts:
            over = [whole - there for whole, there in zip(times["whole"], times["there"], strict=True)]
            found[f"beyond_the_slowest_host_ms_p50_{name}"] = high(over, 0.5)
    if 0 in counts and 1 in counts:
        found["over_local_ms_p50"] = round(found["tick_ms_p50_1_hosts"] - found["tick_ms_p50_alone"], 3)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bots", type=int, nargs="?", default=1000)
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    found = measure(told.bots, told.ticks)
    telling.show(found)
    telling.write(found, told.json)


if __name__ == "__main__":
    main()

"""How soon is the board drawn, how soon does it answer a hand, and what do spectators cost a tick?

The real server with so many locked bots, and an installed Chromium. Spectators are open live streams that read all
they are sent, from a process of their own; the same bots play as long without them in the same run.
"""

from __future__ import annotations

import argparse
import logging
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from arena.engine.live.garbage import keep_for_good
from benchmarks import telling
from benchmarks.bench_live import high
from benchmarks.bench_readers import ticks
from benchmarks.bench_replay import SOURCE
from tests.arenas import Running, running, settings_for, until
from tests.e2e.browser import launched

LIBRARY = "lightweight-charts"
# Milliseconds from a change of a control until the next frame is drawn.
INTERACTION = """async ([selector, value]) => {
  const element = document.querySelector(selector);
  const start = performance.now();
  if (value === null) element.click();
  else {
    element.value = value;
    for (const kind of ["input", "change"]) element.dispatchEvent(new Event(kind, { bubbles: true }));
  }
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return performance.now() - start;
}"""


def watch(address: tuple[str, int], count: int, seconds: float) -> int:
    """Hold so many live streams open and read them; return the bytes that came."""
    lines = []
    for _ in range(count):
        line = socket.create_connection(address)
        line.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: {address[0]}\r\n\r\n".encode())
        lines.append(line)
    print("open", flush=True)
    poll, end, read = select.poll(), time.monotonic() + seconds, 0
    known = {line.fileno(): line for line in lines}
    for number in known:
        poll.register(number, select.POLLIN)
    while time.monotonic() < end:
        for number, _ in poll.poll(200):
            read += len(known[number].recv(1 << 16))
    return read


def drawn(url: str, rounds: int) -> dict[str, Any]:
    """Return first paint, weight and interaction of the board in a browser that keeps nothing from round to round."""
    paints, weights, sorts, filters = [], [], [], []
    with launched() as browser:
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("#board-table tbody tr .spark, #board-table tbody tr svg", timeout=60_000)
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            weights.append(page.evaluate(
                "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))"
                f".filter(({{ name, initiatorType }}) => !name.includes('{LIBRARY}') && initiatorType !== 'fetch')"
                ".reduce((sum, { transferSize }) => sum + transferSize, 0)"
            ))  # fmt: skip
            sorts.append(page.evaluate(INTERACTION, ["#board-table th[data-column='Return'] button", None]))
            filters.append(page.evaluate(INTERACTION, ["#board-search", "SMA 7"]))
            context.close()
    return {
        "first_paint_ms": round(statistics.median(paints), 1), "first_paint_ms_most": round(max(paints), 1),
        "weight_kb": round(max(weights) / 1000, 1),
        "sort_ms": round(statistics.median(sorts), 1), "sort_ms_most": round(max(sorts), 1),
        "filter_ms": round(statistics.median(filters), 1), "filter_ms_most": round(max(filters), 1),
    }  # fmt: skip


def spectated(arena: Running, spectators: int, seconds: float) -> dict[str, Any]:
    """Return how long ticks take without spectators and with them."""
    alone, missed = ticks(arena, seconds), arena.arena.engine.beats.missed
    host, port = arena.url.removeprefix("http://").split(":")
    command = [
        sys.executable, "-m", "benchmarks.bench_pages", "--watch", host, port, str(spectators), str(seconds + 5)
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline().strip() == "open"
        beside = ticks(arena, seconds)
        read = int(watcher.stdout.read())
    return {
        "spectators": spectators, "spectator_kb_a_second": round(read / (seconds + 5) / 1000, 1),
        "alone_ms_p50": high(alone, 0.5), "alone_ms_p99": high(alone), "tick_ms_p50": high(beside, 0.5),
        "tick_ms_p99": high(beside), "missed_beats": arena.arena.engine.beats.missed - missed,
    }  # fmt: skip


def measure(bots: int, spectators: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(Path(folder), trial_ticks=1, tick_interval_seconds=1.0)
        with running(settings, Path(folder)) as arena:
            keep_for_good()
            for number in range(bots):
                arena.upload(SOURCE.replace('"SMA"', f'"SMA {number}"'))
            seats = arena.arena.engine.roster.seats
            until(lambda: all(seat.started for seat in seats()), "all bots play", 300.0)
            until(lambda: arena.get("/leaderboard?limit=1000")["items"][bots - 1]["equity"], "all are ranked", 120.0)
            return {
                "question": "the board in a browser, and its spectators", "bots": bots,
                **drawn(arena.url, rounds), **spectated(arena, spectators, seconds),
            }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=1000)
    parser.add_argument("--spectators", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--watch", nargs=4, metavar=("HOST", "PORT", "COUNT", "SECONDS"), help="only watch")
    told = parser.parse_args()
    if told.watch:
        host, port, count, seconds = told.watch
        print(watch((host, int(port)), int(count), float(seconds)))
        return
    logging.disable(logging.WARNING)
    figures = measure(told.bots, told.spectators, told.seconds, told.rounds)
    telling.show(figures)
    telling.write(figures, told.json)


if __name__ == "__main__":
    main()

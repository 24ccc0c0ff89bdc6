"""Is nothing lost, doubled or unfair when many strategies come at once, and do API and clock notice?

A real server asks a loopback model whose answers take two seconds; meanwhile its board is read at a steady rate and
bots trade at every tick.
"""

from __future__ import annotations

import argparse
import json
import select
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

from arena.llm.fake import FakeModelServer, Scripted
from tests.arenas import BUYER, bot_source
from tests.e2e.server import Server

_FINAL = {"admitted", "rejected", "failed", "cancelled"}
_TRADER = 'ctx.submit_order("BTCUSDT", "BUY" if ctx.get_position("BTCUSDT") == 0 else "SELL", 0.001)'
_CLIENTS = 40
_RATE = 20.0  # reads of the board a second
_QUIET = 10.0  # seconds of reading before anything is handed in


def answering(seconds: float) -> Any:
    """Return a script whose answers take so long and are each a bot of their own."""

    def script(_request: dict[str, Any], number: int) -> Scripted:
        source = bot_source(BUYER, name=f"Queued {number}", top=f"# {number}")
        return Scripted(f"```python\n{source}```\n", hang=seconds)

    return script


class Reader:
    """Reads the board 20 times a second from a process of its own, until it is told to end."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bench_queue", "--read", url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self) -> list[float]:
        """Return the seconds of each read, the quickest first."""
        told, _ = self._process.communicate(timeout=60)
        found: list[float] = json.loads(told)
        return sorted(found)


def read(url: str) -> list[float]:
    """Read the board at a steady rate until stdin ends; a read that is late leaves out those that it delays."""
    taken: list[float] = []
    due = time.monotonic()
    with httpx2.Client(trust_env=False, timeout=60) as client:
        while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
            begun = time.monotonic()
            client.get(f"{url}/api/v1/leaderboard?limit=100").raise_for_status()
            taken.append(time.monotonic() - begun)
            due = max(due + 1 / _RATE, time.monotonic())
    return taken


def submit(url: str, number: int, authors: int, half: int) -> str:
    """Hand a strategy in: the first half comes from one author, the rest from the others in turn."""
    author = "Greedy" if number < half else f"Author {number % authors}"
    headers = {"idempotency-key": f"bench {number}"}
    with httpx2.Client(trust_env=False, timeout=60) as client:
        while True:
            body = {"prompt": f"strategy {number}", "author": author}
            answer = client.post(f"{url}/api/v1/strategies", json=body, headers=headers)
            if answer.status_code != 429:
                answer.raise_for_status()
                return str(answer.json()["id"])
            time.sleep(float(answer.headers["retry-after"]))


def fairness(model: FakeModelServer, half: int) -> dict[str, Any]:
    """Return how many of the greedy author's were asked before the last of the others was."""
    numbers = [int(r["messages"][1]["content"].split("strategy ")[1].split()[0]) for r in model.requests]
    last = max(place for place, number in enumerate(numbers) if number >= half)
    return {"greedy_before_last": sum(n < half for n in numbers[:last]), "others": sum(n >= half for n in numbers)}


def measure(count: int, seconds: float, concurrency: int, bots: int) -> dict[str, Any]:
    """Play it once and return the figures."""
    half, authors = count // 2, 10
    with tempfile.TemporaryDirectory() as name, FakeModelServer(answering(seconds)) as model:
        folder = Path(name)
        (folder / "bots").mkdir()
        for n in range(bots):
            (folder / "bots" / f"trader_{n}.py").write_text(bot_source(_TRADER, name=f"Trader {n}"), "utf-8")
        server = Server(
            folder, TICK_INTERVAL_SECONDS="1", BOTS_DIR=str(folder / "bots"), OPENAI_BASE_URL=model.base_url,
            OPENAI_MODEL="loopback", OPENAI_CONCURRENCY=str(concurrency), MAX_QUEUE="1000",
        )  # fmt: skip
        try:
            server.wait_for(lambda: len(server.get("/leaderboard")["items"]) == bots, 120)
            before = server.get("/status")
            quiet = Reader(server.url)
            time.sleep(_QUIET)
            alone = quiet.end()
            reader = Reader(server.url)
            started = time.perf_counter()
            with ThreadPoolExecutor(_CLIENTS) as pool:
                ids = list(pool.map(lambda n: submit(server.url, n, authors, half), range(count)))
            taken_in = time.perf_counter() - started
            server.wait_for(lambda: _ended(server, ids[-1]), 1800)
            done = [server.wait_for(lambda one=one: _ended(server, one), 1800) for one in ids]
            took = max(one["updated_at"] for one in done) - min(one["created_at"] for one in done)
            times = reader.end()
            after = server.get("/status")
        finally:
            server.end()
        made = {one["bot_id"] for one in done if one["bot_id"]}
        return {
            "submissions": count, "answer_seconds": seconds, "concurrency": concurrency, "bots": bots,
            "lost": count - len(set(ids)) + sum(one["status"] not in _FINAL for one in done),
            "admitted": sum(one["status"] == "admitted" for one in done),
            "doubled_bots": count - len(made), "extra_calls": len(model.requests) - count,
            "taken_in_seconds": round(taken_in, 2), "seconds": round(took, 1),
            "api_p50_ms": round(times[len(times) // 2] * 1000, 1),
            "api_p99_ms": round(times[int(len(times) * 0.99)] * 1000, 1), "api_reads": len(times),
            "alone_p99_ms": round(alone[int(len(alone) * 0.99)] * 1000, 1),
            "ticks": after["tick"]["n"] - before["tick"]["n"],
            "missed_beats": after["clock"]["missed_beats"] - before["clock"]["missed_beats"],
            **fairness(model, half),
        }  # fmt: skip


def _ended(server: Server, submission: str) -> dict[str, Any] | None:
    found: dict[str, Any] = server.get(f"/strategies/{submission}")
    return found if found["status"] in _FINAL else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--bots", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--read", help="Address of a server: read its board until stdin ends.")
    told = parser.parse_args()
    if told.read:
        print(json.dumps(read(told.read)))
        return
    found = measure(told.count, told.seconds, told.concurrency, told.bots)
    print(json.dumps(found, indent=2))
    if told.json:
        told.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

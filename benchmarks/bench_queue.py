"""Is nothing lost, doubled or unfair when many strategies come at once, and do API and clock notice?

A real server asks a loopback model whose answers take two seconds; meanwhile its board is read at a steady rate and
bots trade at every tick.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
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


def answering(seconds: float) -> Any:
    """Return a script whose answers take so long and are each a bot of their own."""

    def script(_request: dict[str, Any], number: int) -> Scripted:
        source = bot_source(BUYER, name=f"Queued {number}", top=f"# {number}")
        return Scripted(f"```python\n{source}```\n", hang=seconds)

    return script


class Reader(threading.Thread):
    """Reads the board at a steady rate; a slow answer delays no question by more than itself."""

    def __init__(self, url: str, rate: float) -> None:
        super().__init__(daemon=True)
        self._url, self._rate = f"{url}/api/v1/leaderboard?limit=100", rate
        self.taken: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Ask until it is told to end."""
        due = time.perf_counter()
        with httpx2.Client(trust_env=False, timeout=30) as client:
            while not self.ended.wait(max(0.0, due - time.perf_counter())):
                client.get(self._url).raise_for_status()
                self.taken.append(time.perf_counter() - due)
                due += 1 / self._rate


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
            reader = Reader(server.url, 20)
            reader.start()
            started = time.perf_counter()
            with ThreadPoolExecutor(_CLIENTS) as pool:
                ids = list(pool.map(lambda n: submit(server.url, n, authors, half), range(count)))
            taken_in = time.perf_counter() - started
            done = [server.wait_for(lambda one=one: _ended(server, one), 1800) for one in ids]
            took = time.perf_counter() - started
            reader.ended.set()
            reader.join()
            after = server.get("/status")
        finally:
            server.end()
        times = sorted(reader.taken)
        made = {one["bot_id"] for one in done if one["bot_id"]}
        return {
            "submissions": count, "answer_seconds": seconds, "concurrency": concurrency, "bots": bots,
            "lost": count - len(set(ids)) + sum(one["status"] not in _FINAL for one in done),
            "admitted": sum(one["status"] == "admitted" for one in done),
            "doubled_bots": count - len(made), "extra_calls": len(model.requests) - count,
            "taken_in_seconds": round(taken_in, 2), "seconds": round(took, 1),
            "api_p50_ms": round(times[len(times) // 2] * 1000, 1),
            "api_p99_ms": round(times[int(len(times) * 0.99)] * 1000, 1), "api_reads": len(times),
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
    told = parser.parse_args()
    found = measure(told.count, told.seconds, told.concurrency, told.bots)
    print(json.dumps(found, indent=2))
    if told.json:
        told.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

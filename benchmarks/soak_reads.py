"""Do readers stop the clock? Two hundred clients ask every read route for a minute while fifty bots play at 1 Hz.

The real server stands in a process of its own, started as a user starts it; the clients are in this one. The routes
come from the server's OpenAPI document, so that a new one is asked too. Passed: no beat missed, no answer of 500 and
more but 503, and memory that has grown by less than a bound.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from benchmarks import telling
from benchmarks.bench_live import high
from tests.arenas import until

ROOT = Path(__file__).resolve().parent.parent
BOT = """NAME = "Reader's {n}"
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
seen = []


def on_tick(ctx, tick):
    seen.append(tick["prices"]["BTCUSDT"])
    del seen[:-50]
    ctx.log("a line of the log, one a tick")
    if ctx.get_position("BTCUSDT") == 0:
        ctx.submit_order("BTCUSDT", "BUY", 0.001 * ({n} % 7 + 1))
    else:
        ctx.submit_order("BTCUSDT", "SELL", 0.001)
"""
MOST_MB = 400.0  # that the server's memory may grow by
LISTENED = 3.0  # seconds for which a live stream is heard


@contextmanager
def server(bots: int) -> Iterator[tuple[str, int]]:
    """Run the server with so many bots of its folder; yield its address and its process."""
    with tempfile.TemporaryDirectory(prefix="soak-reads-") as folder:
        home = Path(folder)
        (home / "bots").mkdir()
        for n in range(bots):
            (home / "bots" / f"reader_{n}.py").write_text(BOT.replace("{n}", str(n)), "utf-8")
        given = {
            "FEED": "synthetic", "DB_PATH": str(home / "lab.db"), "BOTS_DIR": str(home / "bots"), "PORT": "0",
            "TICK_INTERVAL_SECONDS": "1.0", "LOG_LEVEL": "ERROR",
        }  # fmt: skip
        command = [sys.executable, "-m", "arena", "serve", "--no-dashboard"]
        with (home / "said").open("w+b") as said:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **given}, stdout=subprocess.DEVNULL, stderr=said
            )
            try:
                yield until(lambda: _address(home / "said", process), "the server's address", 120.0), process.pid
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


def _address(said: Path, process: subprocess.Popen[bytes]) -> str | None:
    text = said.read_text("utf-8", "replace")
    if process.poll() is not None:
        raise RuntimeError(text[-2000:])
    found = [word for word in text.split() if word.startswith("http://127.0.0.1:")]
    return found[0] if found else None


def megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def questions(url: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Return every read route with the addresses to ask there, and their headers."""
    with httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
        api = "/api/v1"
        bots = [item["bot_id"] for item in client.get(f"{api}/bots").json()["items"]]
        submission = client.post(f"{api}/strategies", json={"prompt": "buy 0.01 BTC when the price rises"}).json()["id"]
        job = client.post(f"{api}/bots/{bots[0]}/verify").json()["id"]
        paths = client.get("/openapi.json").json()["paths"]
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for path, methods in paths.items():
        if "get" in methods:
            fixed = path.replace("{submission_id}", submission).replace("{job_id}", job).replace("{number}", "1")
            found[path] = [(fixed.replace("{bot_id}", bot), {}) for bot in (bots if "{bot_id}" in path else bots[:1])]
    found[f"{api}/leaderboard"] += [(f"{api}/leaderboard?limit=1000", {"accept": "text/csv"}),
                                    (f"{api}/leaderboard?limit=1000&season=1", {})]  # fmt: skip
    for name, limit in (("trades", 1000), ("orders", 1000), ("logs", 1000), ("equity", 20_000)):
        found[f"{api}/bots/{{bot_id}}/{name}"] += [(f"{api}/bots/{bot}/{name}?limit={limit}", {}) for bot in bots]
    found[f"{api}/curves"] = [(f"{api}/curves?bot={one}&bot={two}", {}) for one, two in itertools.pairwise(bots)]
    for page in ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"):
        found[page] = [(page, {})]
    return found


class Figures:
    """What the clients have seen."""

    def __init__(self) -> None:
        self.statuses: dict[str, Counter[str]] = defaultdict(Counter)
        self.taken: list[float] = []

    def note(self, route: str, status: str, seconds: float) -> None:
        """Count an answer."""
        self.statuses[route][status] += 1
        if status == "200":
            self.taken.append(seconds)


async def client_of(url: str, asked: dict[str, list[Any]], number: int, end: float, figures: Figures) -> None:
    """Ask one route after the other until the end."""
    routes = list(asked)
    turn = itertools.count(number)
    async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        while time.monotonic() < end:
            step = next(turn)
            route = routes[step % len(routes)]
            path, headers = asked[route][(step // len(routes)) % len(asked[route])]
            started = time.monotonic()
            try:
                status = await _ask(client, path, headers)
            except httpx2.HTTPError as error:
                status = type(error).__name__
            figures.note(route, status, time.monotonic() - started)


async def _ask(client: httpx2.AsyncClient, path: str, headers: dict[str, str]) -> str:
    async with client.stream("GET", path, headers=headers) as answer:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            with suppress(TimeoutError):
                async with asyncio.timeout(LISTENED):
                    async for _ in answer.aiter_raw():
                        pass
        else:
            async for _ in answer.aiter_raw():
                pass
        return str(answer.status_code)


async def soak(url: str, pid: int, clients: int, seconds: float, only: str) -> tuple[Figures, list[float]]:
    """Keep so many clients busy; return what they have seen, and the server's memory meanwhile."""
    found, figures, memory = await asyncio.to_thread(questions, url), Figures(), [megabytes(pid)]
    asked = {route: paths for route, paths in found.items() if only in route}
    end = time.monotonic() + seconds

    async def watch() -> None:
        while time.monotonic() < end:
            await asyncio.sleep(0.25)
            memory.append(megabytes(pid))

    await asyncio.gather(watch(), *(client_of(url, asked, n, end, figures) for n in range(clients)))
    return figures, memory


def clock(url: str) -> tuple[int, int]:
    """Return the last tick's number and how many beats were missed so far."""
    found = httpx2.get(f"{url}/api/v1/status", timeout=60, trust_env=False).json()
    return int(found["tick"]["n"]), int(found["clock"]["missed_beats"])


def measure(bots: int, clients: int, seconds: float, warm: float, only: str = "") -> dict[str, Any]:
    """Return the figures of one run."""
    with server(bots) as (url, pid):
        get = lambda path: httpx2.get(f"{url}{path}", timeout=60, trust_env=False).json()  # noqa: E731
        until(lambda: get("/api/v1/status")["bots"].get("active") == bots, "all bots play", 120.0)
        begun = clock(url)[0]
        until(lambda: clock(url)[0] >= begun + warm, "a history", warm + 60)
        first, missed_before = clock(url)
        figures, memory = asyncio.run(soak(url, pid, clients, seconds, only))
        last, missed = clock(url)
    total: Counter[str] = sum(figures.statuses.values(), Counter())
    return {
        "question": "do readers stop the clock", "bots": bots, "clients": clients, "seconds": seconds,
        "ticks": last - first, "missed_beats": missed - missed_before, "answers": dict(total),
        "memory_mb_before": round(memory[0], 1), "memory_mb_most": round(max(memory), 1),
        "read_ms_p50": high(figures.taken, 0.5), "read_ms_p99": high(figures.taken),
        "routes": {route: dict(found) for route, found in sorted(figures.statuses.items())},
    }  # fmt: skip


def faults(found: dict[str, Any]) -> list[str]:
    """Return what of a run does not hold."""
    wrong = []
    if found["missed_beats"]:
        wrong.append(f"{found['missed_beats']} beats were missed")
    if found["memory_mb_most"] - found["memory_mb_before"] > MOST_MB:
        wrong.append(f"memory has grown from {found['memory_mb_before']} to {found['memory_mb_most']} MB")
    for route, answers in found["routes"].items():
        bad = {status: count for status, count in answers.items() if status not in {"200", "404", "429", "503"}}
        if bad:
            wrong.append(f"{route} has answered {bad}")
        if "200" not in answers and not route.endswith("/verify"):
            wrong.append(f"{route} was never answered")
    return wrong


def main() -> None:
    """Measure, print, and fail where the clock or the memory does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=50)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm", type=float, default=20.0, help="ticks before the clients come")
    parser.add_argument("--only", default="", help="part of the routes that are asked, such as /bundle")
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    found = measure(told.bots, told.clients, told.seconds, told.warm, told.only)
    telling.write(found, told.json)
    wrong = faults(found)
    for route, answers in found.pop("routes").items():
        print(f"{route:44} {answers}")
    telling.show(found)
    sys.exit("; ".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()

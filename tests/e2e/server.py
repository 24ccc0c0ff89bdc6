"""A real server in a process of its own, driven as a person would."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
PATIENCE = 90.0  # a bound for what never comes; below the time limit of a test


class Server:
    """`python -m arena serve` in a folder; `url` once it listens."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        keep = {key: os.environ[key] for key in ("PATH", "HOME", "VIRTUAL_ENV") if key in os.environ}
        self.environment = {
            **keep, "PORT": "0", "FEED": "synthetic", "TICK_INTERVAL_SECONDS": "0.1",
            "PYTHONPATH": str(ROOT), "BOTS_DIR": str(ROOT / "bots"), **settings,
        }  # fmt: skip
        self.log = folder / f"serve-{time.monotonic_ns()}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arena", "serve"], cwd=folder, env=self.environment,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.url = ""
        # A client is dear to make, and a connection that has been idle for 5 s may be cut by the server.
        self.client = httpx2.Client(trust_env=False, timeout=PATIENCE, limits=httpx2.Limits(keepalive_expiry=2.0))
        try:
            self.wait_for(lambda: bool(self._addresses()))
            self.url = self._addresses()[-1]
            self.wait_for(lambda: self.get("/status")["state"] == "running")
        except BaseException:
            self.process.kill()
            self.process.wait()
            self.client.close()
            raise

    def _addresses(self) -> list[str]:
        return re.findall(r"arena: (http://\S+)", self.log.read_text("utf-8", "replace"))

    def get(self, path: str, **params: Any) -> Any:
        answer = self.client.get(f"{self.url}/api/v1{path}", params=params)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.client.post(f"{self.url}/api/v1{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def wait_for(self, done: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Return the first true value of `done`, asked again and again."""
        deadline, pause = time.monotonic() + seconds, 0.02
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text("utf-8", "replace")[-3000:]
            found = done()
            if found:
                return found
            time.sleep(pause)
            pause = min(0.2, pause * 1.2)
        raise AssertionError("it did not happen in time:\n" + self.log.read_text("utf-8", "replace")[-3000:])

    def arena(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "arena", *arguments], cwd=self.folder, text=True,
            env={**self.environment, "ARENA_URL": self.url}, capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def workers(self) -> list[int]:
        """Return the process ids of the zygote and all its children."""
        found, queue = [], [self.process.pid]
        while queue:
            parent = queue.pop()
            try:
                text = Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii")
            except FileNotFoundError:
                continue
            children = [int(pid) for pid in text.split()]
            found += children
            queue += children
        return found

    def end(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send a signal and wait until the process and its workers are gone."""
        workers = self.workers()
        self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE)
        self.client.close()
        deadline = time.monotonic() + PATIENCE
        while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [pid for pid in workers if _alive(pid)], "a worker was left behind"


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def accounts(folder: Path) -> dict[str, tuple[float, dict[str, float], int]]:
    """Return cash, positions and trade count of every bot, from the trades alone."""
    with sqlite3.connect(folder / "lab.db") as connection:
        rows = connection.execute(
            "SELECT bot_name, symbol, cash_after, position_after FROM trades ORDER BY id"
        ).fetchall()
    found: dict[str, tuple[float, dict[str, float], int]] = {}
    for name, symbol, cash, position in rows:
        _, positions, count = found.get(name, (0.0, {}, 0))
        held = {**positions, symbol: position}
        found[name] = (cash, {s: p for s, p in held.items() if p}, count + 1)
    return found

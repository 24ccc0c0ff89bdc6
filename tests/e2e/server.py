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
        try:
            self.wait_for(lambda: bool(self._addresses()), 30)
            self.url = self._addresses()[-1]
            self.wait_for(lambda: self.get("/status")["state"] == "running", 30)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _addresses(self) -> list[str]:
        return re.findall(r"arena: (http://\S+)", self.log.read_text("utf-8", "replace"))

    def get(self, path: str, **params: Any) -> Any:
        with httpx2.Client(trust_env=False, timeout=20) as client:
            answer = client.get(f"{self.url}/api/v1{path}", params=params)
            answer.raise_for_status()
            return answer.json()

    def wait_for(self, done: Callable[[], Any], seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text("utf-8", "replace")[-3000:]
            found = done()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError("it did not happen in time:\n" + self.log.read_text("utf-8", "replace")[-3000:])

    def arena(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "arena", *arguments], cwd=self.folder, text=True,
            env={**self.environment, "ARENA_URL": self.url}, capture_output=True, timeout=60, check=False,
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

    def end(self, number: signal.Signals = signal.SIGINT) -> float:
        """Send a signal and return the seconds until the process was gone."""
        workers, started = self.workers(), time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=15)
        took = time.monotonic() - started
        deadline = time.monotonic() + 5
        while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [pid for pid in workers if _alive(pid)], "a worker was left behind"
        return took


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

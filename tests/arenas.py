"""An arena that really runs, in this process and on a loopback port, and ways to wait for it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import uvicorn

from arena.app import Arena
from arena.config import Settings
from arena.engine.seat import Life, Seat
from arena.web.serving import ConnectionLimits, server_config

T = TypeVar("T")

PATIENCE = 90.0  # a bound for what never comes; below the time limit of a test


def until(found: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Return the first true value of `found`, asked again and again until patience ends."""
    end, wait = time.monotonic() + patience, 0.005
    pause = threading.Event()
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        pause.wait(wait)
        # Looking costs the CPU that others are waited for to use.
        wait = min(0.1, wait * 1.3)
    raise AssertionError(f"not within {patience:g} s: {what}")


def bot_source(body: str = "pass", *, name: str = "Tester", top: str = "", symbols: str = '["BTCUSDT"]') -> str:
    """Return a bot whose on_tick has this body, one statement a line."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"NAME = {name!r}\nSYMBOLS = {symbols}\n{top}\ndef on_tick(ctx, tick):\n{lines}"


BUYER = 'if ctx.get_position("BTCUSDT") == 0:\n    ctx.submit_order("BTCUSDT", "BUY", 0.001)'


def settings_for(folder: Path, **more: Any) -> Settings:
    """Return settings of a small synthetic arena whose files are all in one folder."""
    bots = folder / "bots"
    bots.mkdir(parents=True, exist_ok=True)
    return Settings(**{
        "_env_file": None, "feed": "synthetic", "tick_interval_seconds": 0.1, "trial_ticks": 60,
        "db_path": str(folder / "lab.db"), "key_file": str(folder / "arena.key"),
        "bots_dir": str(bots), "min_free_disk": 0, "tick_cpu_hard": 0.4, **more,
    })  # fmt: skip


@dataclass
class Running:
    """An arena, its address, and a client that talks to it."""

    arena: Arena
    url: str
    client: httpx2.Client
    folder: Path
    settings: Settings
    server: uvicorn.Server = field(repr=False)

    def api(self, method: str, path: str, **options: Any) -> httpx2.Response:
        return self.client.request(method, f"/api/v1{path}", **options)

    def get(self, path: str, **options: Any) -> Any:
        answer = self.api("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def proof(self, bot: str, query: str = "") -> dict[str, Any]:
        """Ask for a proof of a bot's record, wait for its job, and return its result."""
        answer = self.api("POST", f"/bots/{bot}/verify{query}")
        assert answer.status_code == 202, answer.text
        job = self.job(answer.headers["location"].removeprefix("/api/v1"))
        assert job["status"] == "done", job
        result: dict[str, Any] = job["result"]
        return result

    def job(self, path: str) -> dict[str, Any]:
        """Wait for the end of a job."""

        def final() -> dict[str, Any] | None:
            item: dict[str, Any] = self.get(path)
            return item if item["status"] in {"done", "failed", "cancelled"} else None

        return until(final, "the job has ended")

    def upload(self, source: str, author: str = "local") -> dict[str, Any]:
        answer = self.api("POST", "/bots", json={"source": source, "author": author})
        assert answer.status_code in {200, 201}, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def seat(self, name: str) -> Seat:
        """Return a bot's seat; the board may know of the bot a moment before the engine does."""
        roster = self.arena.engine.roster
        return until(lambda: next((seat for seat in roster.seats() if seat.name == name), None), f"{name} has a seat")

    def admitted(self, source: str, author: str = "local") -> Seat:
        """Upload a bot and wait until it is asked."""
        name = self.upload(source, author)["name"]
        seat = self.seat(name)
        until(lambda: seat.started, f"{name} has started")
        self.between_ticks()
        return seat

    def between_ticks(self) -> None:
        """Wait until the tick under way is over: a seat changes a moment before the market's number does."""
        self.arena.engine.call(lambda: None).result(timeout=PATIENCE)

    def retire(self, name: str) -> None:
        """Retire the bots whose names begin with this one: they would be asked ten times a second to the end."""
        engine = self.arena.engine
        for seat in engine.roster.seats():
            if f"{seat.name} ".startswith(f"{name} ") and seat.life is not Life.RETIRED:
                engine.call(partial(engine.roster.retire, seat.id)).result(timeout=PATIENCE)

    def ticks(self, count: int) -> None:
        """Wait for so many more recorded ticks."""
        market = self.arena.engine.market
        aim = market.n + count
        until(lambda: market.n >= aim, f"tick {aim}")

    def submit(self, prompt: str, **more: Any) -> dict[str, Any]:
        """Submit a strategy and wait for its end."""
        answer = self.api("POST", "/strategies", json={"prompt": prompt, **more})
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["id"])

    def ended(self, submission_id: str) -> dict[str, Any]:
        def final() -> dict[str, Any] | None:
            item: dict[str, Any] = self.get(f"/strategies/{submission_id}")
            return item if item["status"] in {"admitted", "rejected", "failed", "cancelled"} else None

        return until(final, "the submission has ended")


@contextlib.contextmanager
def running(settings: Settings, folder: Path, limits: ConnectionLimits | None = None) -> Iterator[Running]:
    """Start an arena with its server and stop both."""
    arena = Arena(settings)
    listening = socket.create_server(("127.0.0.1", 0))
    try:
        app = arena.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # The client lets an idle connection go after 5 s; a server that did so at the same moment would cut a request.
        config = server_config(app, limits)
        config.timeout_keep_alive = 60
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            with httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
                yield Running(arena, url, client, folder, settings, server)
        finally:
            arena.broadcast.close()
            server.should_exit = True
            thread.join(timeout=PATIENCE)
            assert not thread.is_alive(), "the server does not end"
    finally:
        listening.close()
        arena.stop()

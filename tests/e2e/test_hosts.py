"""A server and machines that play its bots, each a process of its own: killed, frozen, drained."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arena.engine.seat import Life
from arena.store.hosts import add_host, drain_host, list_hosts
from tests.arenas import Running, bot_source, running, settings_for, until

COUNTER = 'global n\nn += 1\nctx.log(f"call {n}")\nctx.submit_order("BTCUSDT", "BUY" if n % 3 else "SELL", 0.0001 * n)'


@contextmanager
def host(arena: Running, name: str, place: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `arena host` against a server, and end it however it stands."""
    token = arena.folder / f"{name}.token"
    token.write_text(add_host(arena.arena.database, name))
    token.chmod(0o600)
    process = subprocess.Popen(
        [sys.executable, "-m", "arena", "host", "--server", f"ws://127.0.0.1:{arena.arena.hosts_port}",
         "--token-file", str(token)],
        env={**os.environ, "SANDBOX_UID_BASE": str(50_000 + 1000 * place), "TICK_CPU_HARD": "20", "TICK_CPU_SOFT": "5"},
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def state(arena: Running, name: str) -> dict[str, Any]:
    return next(row for row in list_hosts(arena.arena.database) if row["name"] == name)


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hosts")
    settings = settings_for(
        folder, hosts_listen="127.0.0.1:0", tick_interval_seconds=1.0, tick_cpu_soft=5.0, tick_cpu_hard=20.0
    )
    with running(settings, folder) as found:
        yield found


@pytest.mark.long
def test_bots_outlive_a_host_that_is_killed_and_one_that_freezes(arena: Running) -> None:
    with host(arena, "one", 0) as first, host(arena, "two", 1) as second:
        for name in ("one", "two"):
            until(lambda name=name: state(arena, name)["state"] == "joined", f"{name} to join")
        seats = [arena.admitted(bot_source(COUNTER, name=f"Counter {n}", top=f"n = {n}")) for n in range(4)]
        until(lambda: {seat.host.name for seat in seats if seat.host} == {"one", "two"}, "bots on both hosts")
        first.kill()
        until(lambda: all(seat.host and seat.host.name == "two" and seat.alive_there for seat in seats), "all on two")
        assert state(arena, "one")["state"] == "lost"
        second.send_signal(signal.SIGSTOP)
        until(lambda: all(seat.host is None and seat.life is Life.ACTIVE for seat in seats), "all back at the server")
        frozen = state(arena, "two")
        second.send_signal(signal.SIGCONT)
        until(lambda: state(arena, "two")["fence"] > frozen["fence"], "a new lease for the one that was frozen")
        until(lambda: all(seat.host and seat.host.name == "two" for seat in seats), "all on two again")
        hosts = arena.get("/status")["hosts"]
        assert [(row["name"], row["bots"]) for row in hosts] == [("two", 4)]
        assert 'arena_host_bots{host="two"} 4.0' in arena.client.get("/metrics").text
        drain_host(arena.arena.database, "two")
        until(lambda: all(seat.host is None for seat in seats), "the host to be empty")
        for seat in seats:
            arena.between_ticks()
            assert arena.proof(seat.id)["status"] == "reproduced", json.dumps(arena.proof(seat.id))

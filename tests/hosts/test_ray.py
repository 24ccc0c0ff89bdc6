"""Hosts that a Ray cluster places: a head and a second node, each of its own processes, on loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from arena.cli.cluster import connect
from arena.engine.seat import Life
from arena.errors import SettingsError
from arena.hosts.ray_cluster import (
    RayHosts,
    check_address,
    check_environment,
    load_ray,
    make_token,
    safe_environment,
    start_command,
)
from arena.store.hosts import renew_token
from tests.arenas import bot_source, until
from tests.engine.conftest import Steady
from tests.hosts.conftest import Agents, Begin
from tests.hosts.seasons import COUNTER
from tests.hosts.test_losses import calls, prove


def test_the_token_of_a_cluster_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ray.token"
    with pytest.raises(SettingsError, match="is not there"):
        safe_environment(path)
    make_token(path)
    token = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(token) == 64
    make_token(path)
    assert path.read_text() == token
    told = safe_environment(path)
    assert told == {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path), "RAY_USAGE_STATS_ENABLED": "0"}
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others"):
        safe_environment(path)


def test_a_cluster_without_token_authentication_is_refused() -> None:
    check_environment({"RAY_AUTH_MODE": "token"})
    for told in ({}, {"RAY_AUTH_MODE": "disabled"}):
        with pytest.raises(SettingsError, match="without token authentication"):
            check_environment(told)


def test_ray_listens_in_private_networks_only_and_without_a_dashboard() -> None:
    for address in ("0.0.0.0", "::", "8.8.8.8", "head.example"):
        with pytest.raises(SettingsError):
            check_address(address)
    command = start_command("10.0.0.5", port=6379)
    assert command[command.index("--include-dashboard") + 1] == "false"
    assert command[command.index("--node-ip-address") + 1] == "10.0.0.5"
    assert "--disable-usage-stats" in command
    assert "--head" not in start_command("10.0.0.6", head="10.0.0.5:6379")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start nodes of a cluster, each a session of its own processes."""
    make_token(tmp_path / "ray.token")
    for name, value in safe_environment(tmp_path / "ray.token").items():
        monkeypatch.setenv(name, value)
    with ExitStack() as ends:

        def start(*told: Any, **more: Any) -> subprocess.Popen[bytes]:
            command = start_command(*told, **more)
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
            ends.callback(end, process)
            return process

        yield start


def end(process: subprocess.Popen[bytes]) -> None:
    """End a node and all that it has started, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.ray
@pytest.mark.long
def test_each_node_of_a_cluster_plays_and_a_killed_one_loses_nothing(
    begin: Begin, agents: Agents, node: Any, tmp_path: Path
) -> None:
    if not _installed():
        pytest.skip("the extra `ray` is not installed")
    ray = load_ray(safe_environment(tmp_path / "ray.token"))
    port = free_port()
    # Ray's sockets have long names, and a socket's name is short.
    head = node("127.0.0.1", port=port, temp=Path("/tmp") / f"arena-ray-{port}")
    connect(ray, head, f"127.0.0.1:{port}")
    hosts = RayHosts(
        ray, lambda name: renew_token(agents.database, name), ["--server", agents.url],
        {"SANDBOX_UID_BASE": "52000", "TICK_CPU_SOFT": "5", "TICK_CPU_HARD": "20", "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    try:
        (first,) = hosts.tend()
        hand = begin(Steady(), [agents.link(first)])
        seats = [hand.admit(bot_source(COUNTER, name=f"Counter {n}", top=f"n = {n}")) for n in range(2)]
        hand.tick(3)
        second = node("127.0.0.1", head=f"127.0.0.1:{port}")
        names = until(lambda: found if len(found := hosts.tend()) == 2 else None, "the second node")
        (other,) = set(names) - {first}
        hand.engine.hosts.join(agents.link(other))
        seats += [hand.admit(bot_source(COUNTER, name=f"Counter {n}", top=f"n = {n}")) for n in range(2, 4)]
        hand.tick(3)
        assert [seat.host.name for seat in seats if seat.host is not None] == [first, first, other, other]
        end(second)
        # Its actor ends once it misses the node, and the host program with the actor.
        until(lambda: other in {name for name, _ in agents.gone} or None, "the host to be lost")
        hand.tick()
        hand.tick()
        hand.engine.wait_for_bots()
        until(lambda: [first] == hosts.tend() or None, "the cluster to miss the node")
        hand.tick(4)
        assert [seat.life for seat in seats] == [Life.ACTIVE] * 4
        assert calls(hand, seats[0]) == list(range(hand.engine.market.n + 1))
        prove(hand, seats)
    finally:
        hosts.end()
        ray.shutdown()


@pytest.mark.ray
@pytest.mark.long
def test_up_and_join_make_a_cluster_whose_machines_play(agents: Agents, tmp_path: Path) -> None:
    if not _installed():
        pytest.skip("the extra `ray` is not installed")
    arena = [sys.executable, "-m", "arena", "cluster"]
    shared = ["--address", "127.0.0.1", "--token-file", str(tmp_path / "ray.token")]
    port, database = free_port(), str(tmp_path / "hosts.sqlite")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    more = {"SANDBOX_UID_BASE": "52000", "TICK_CPU_SOFT": "5", "TICK_CPU_HARD": "20"}
    with ExitStack() as ends:

        def start(*told: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [*arena, *told, *shared], env={**kept, **more}, stdout=subprocess.DEVNULL, start_new_session=True
            )
            ends.callback(end, process)
            return process

        up = start("up", "--server", agents.url, "--port", str(port), "--db", database)
        until(lambda: len(agents.links) == 1, "the head's machine to play", 120)
        start("join", f"127.0.0.1:{port}")
        until(lambda: len(agents.links) == 2, "the other machine to play", 120)
        up.send_signal(signal.SIGTERM)
        until(lambda: up.poll() is not None, "the head to end", 120)
        until(lambda: all(link.closed.is_set() for link in agents.links.values()), "its programs to end", 120)


def _installed() -> bool:
    import importlib.util

    return importlib.util.find_spec("ray") is not None

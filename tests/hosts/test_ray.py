"""Hosts that a Ray cluster places: a head and a second node, each of its own processes, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from arena.cli.cluster import connect
from arena.engine.live.host_messages import HostResult
from arena.engine.seat import Life, Seat
from arena.errors import ArenaError, SettingsError
from arena.hosts.link import HostLink
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
from tests.engine.conftest import Hand, Steady
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
            if "temp" in more:
                ends.callback(shutil.rmtree, more["temp"], ignore_errors=True)
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


def test_a_head_that_ends_at_its_start_is_told_of_at_once() -> None:
    head = subprocess.Popen([sys.executable, "-c", ""])
    with pytest.raises(ArenaError, match="has ended at its start"):
        connect(None, head, f"127.0.0.1:{free_port()}")


class Cluster:
    """A cluster on loopback whose machines play one season."""

    def __init__(self, ray: Any, agents: Agents, node: Any) -> None:
        self.ray, self.agents, self.node = ray, agents, node
        self.port = free_port()
        self.heads = 0

    def start_head(self) -> str:
        """Start the head, and return the name that its machine plays under."""
        self.heads += 1
        # Ray's sockets have long names, and a socket's name is short.
        temp = Path("/tmp") / f"arena-ray-{self.port}-{self.heads}"
        self.head = self.node("127.0.0.1", port=self.port, temp=temp)
        connect(self.ray, self.head, f"127.0.0.1:{self.port}")
        self.hosts = RayHosts(
            self.ray, lambda name: renew_token(self.agents.database, name), ["--server", self.agents.url],
            {"SANDBOX_UID_BASE": "52000", "TICK_CPU_SOFT": "5", "TICK_CPU_HARD": "20", "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        (name,) = self.hosts.tend()
        return name

    def join(self, head: str) -> tuple[subprocess.Popen[bytes], str]:
        """Let another node join, and return the name that it plays under too."""
        process = self.node("127.0.0.1", head=f"127.0.0.1:{self.port}")
        names = until(lambda: found if len(found := self.hosts.tend()) == 2 else None, "the second node")
        (name,) = set(names) - {head}
        return process, name

    def leave(self) -> None:
        """End the programs, and be no part of it any more."""
        self.hosts.end()
        self.ray.shutdown()


def add(hand: Hand, link: HostLink) -> Seat:
    """Let a host play, and one more bot, which it gets because it has none yet."""
    hand.engine.hosts.join(link)
    count = len(hand.engine.roster.seats())
    seat = hand.admit(bot_source(COUNTER, name=f"Counter {count}", top=f"n = {count}"))
    hand.tick(2)
    assert seat.host is not None
    assert seat.host.name == link.name
    return seat


def lose(hand: Hand, seats: Sequence[Seat], deadline: float | None = None) -> None:
    """Play the tick at which a host is missed, and those until its bots are at work again."""
    hand.tick(deadline=deadline)
    assert [seat.life for seat in seats] == [Life.RECOVERING] * len(seats)
    hand.tick()
    hand.engine.wait_for_bots()
    hand.tick(2)
    assert [seat.life for seat in seats] == [Life.ACTIVE] * len(seats)


def kill_in_the_next_tick(link: HostLink, node: subprocess.Popen[bytes], program: int) -> None:
    """Have a node and its host program killed when the program has got the next tick, and not answered it yet."""
    receive = link.receive

    def killed(seconds: float | None) -> HostResult:
        end(node)
        os.kill(program, signal.SIGKILL)
        return receive(seconds)

    os.kill(program, signal.SIGSTOP)
    link.receive = killed  # type: ignore[method-assign]


@pytest.mark.ray
@pytest.mark.system
def test_nodes_are_drained_cut_off_frozen_and_killed_and_the_head_started_again_and_nothing_is_lost(
    begin: Begin, agents: Agents, node: Any, tmp_path: Path
) -> None:
    if not _installed():
        pytest.skip("the extra `ray` is not installed")
    cluster = Cluster(load_ray(safe_environment(tmp_path / "ray.token")), agents, node)
    first = cluster.start_head()
    try:
        hand = begin(Steady())
        honest = add(hand, agents.link(first))
        second, other = cluster.join(first)
        link = agents.link(other)
        seats = [add(hand, link)]

        # Drained, so that it can leave: its bot misses nothing.
        hand.engine.hosts.drain(other)
        hand.tick(3)
        assert [row["bots"] for row in hand.engine.hosts.rows()] == [2, 0]
        assert calls(hand, seats[0])[-5:] == list(range(hand.engine.market.n - 4, hand.engine.market.n + 1))
        hand.engine.hosts.leave(link, "it is drained")
        link = agents.link(other, after=link.fence)
        seats = [add(hand, link)]

        # Cut off, which Ray does not see: the program joins again, under another lease.
        link._connection.socket.shutdown(socket.SHUT_RDWR)
        lose(hand, seats)
        assert cluster.hosts.tend() == sorted([first, other])
        link = agents.link(other, after=link.fence)
        seats.append(add(hand, link))

        # Frozen for longer than the deadline, and then let go on.
        pid = cluster.hosts.pids()[other]
        os.kill(pid, signal.SIGSTOP)
        try:
            lose(hand, seats[-1:], deadline=5.0)
        finally:
            os.kill(pid, signal.SIGCONT)
        link = agents.link(other, after=link.fence)
        seats.append(add(hand, link))

        kill_in_the_next_tick(link, second, cluster.hosts.pids()[other])
        lose(hand, seats[-1:])
        until(lambda: [first] == cluster.hosts.tend(), "the cluster to miss the node")
        assert calls(hand, honest) == list(range(hand.engine.market.n + 1))

        # With the cluster's head its machine's program ends; the next head starts another.
        link = agents.links[first]
        end(cluster.head)
        until(link.closed.is_set, "the host to be lost")
        cluster.leave()
        lose(hand, [honest, *seats])
        add(hand, agents.link(cluster.start_head()))
        assert all(seat.host is not None for seat in hand.engine.roster.seats())
        prove(hand, hand.engine.roster.seats())
    finally:
        cluster.leave()


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

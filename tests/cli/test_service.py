"""systemd is told when the server is ready, that its clock is alive, and when it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.cli.service import ServiceManager
from arena.config import take_service_manager
from tests.e2e.server import PATIENCE, ROOT


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.settimeout(PATIENCE)
        yield found


def test_messages_are_lines_of_a_datagram(manager: socket.socket) -> None:
    ServiceManager(manager.getsockname(), 0.0).tell("READY=1", "STATUS=All is well")
    assert manager.recv(4096) == b"READY=1\nSTATUS=All is well"


def test_an_abstract_socket_is_spoken_to() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
        name = f"arena-test-{os.getpid()}"
        abstract.bind(f"\0{name}")
        abstract.settimeout(PATIENCE)
        ServiceManager(f"@{name}", 0.0).tell("READY=1")
        assert abstract.recv(100) == b"READY=1"


def test_a_watchdog_is_fed_no_more_often_than_it_needs(manager: socket.socket) -> None:
    watched = ServiceManager(manager.getsockname(), 3600.0)
    for _ in range(1000):
        watched.beat()
    watched.tell("STOPPING=1")
    assert [manager.recv(100), manager.recv(100)] == [b"WATCHDOG=1", b"STOPPING=1"]
    unwatched = ServiceManager(manager.getsockname(), 0.0)
    unwatched.beat()
    unwatched.tell("end")
    assert manager.recv(100) == b"end"


def test_nobody_listens_and_nothing_happens(tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "nothing")):
        speaker = ServiceManager(address, 0.001)
        speaker.beat()
        speaker.tell("READY=1")


def test_what_the_environment_says_is_taken_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, seconds in ((str(os.getpid()), 30.0), ("", 30.0), ("1", 0.0)):
        monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        monkeypatch.setenv("WATCHDOG_PID", pid)
        assert take_service_manager() == ("/run/systemd/notify", seconds)
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)
    assert take_service_manager() == ("", 0.0)


@pytest.mark.long  # a service through its life; the other tests are about its messages
def test_a_server_says_that_it_is_ready_lives_and_ends(manager: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "bots").mkdir()
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": "0", "FEED": "synthetic", "LOG_FORMAT": "json",
        "BOTS_DIR": str(tmp_path / "bots"), "TICK_INTERVAL_SECONDS": "0.1", "NOTIFY_SOCKET": manager.getsockname(),
        "WATCHDOG_USEC": "400000",
    }  # fmt: skip
    with (tmp_path / "log").open("w+") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "arena", "serve"], cwd=tmp_path, env=environment, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            told = ""
            while told.count("WATCHDOG=1") < 3 or "READY=1" not in told:
                told += f"{manager.recv(4096).decode()}\n"
            server.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in told:
                told += f"{manager.recv(4096).decode()}\n"
            assert server.wait(PATIENCE) == 0
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()
        log.seek(0)
        lines = log.read().splitlines()
    assert "STATUS=Season 1 on http://127.0.0.1:" in told
    # With LOG_FORMAT=json nothing else stands between the lines.
    events = [json.loads(line) for line in lines]
    assert [one["event"] for one in events if one["event"].endswith("(Ctrl-C stops)")]
    assert any(one.get("season") == 1 for one in events)
    assert events[-1]["event"].startswith("Stopped. All is written to lab.db: season 1")

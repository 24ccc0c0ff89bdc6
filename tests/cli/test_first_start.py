"""The first start in a terminal says what it does and where the page is, before the dashboard and in it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.arenas import Running
from tests.e2e.server import PATIENCE, ROOT

SCREEN, GONE = b"\x1b[?1049h", b"\x1b[?1049l"


def read_until(terminal: int, seen: bytes, *wanted: bytes) -> bytes:
    """Read a terminal until all of these have come, or its program has ended."""
    end = time.monotonic() + PATIENCE
    while not all(one in seen for one in wanted):
        assert time.monotonic() < end, seen[-3000:]
        ready, _, _ = select.select([terminal], [], [], 1.0)
        if ready:
            try:
                seen += os.read(terminal, 65_536)
            except OSError:
                # So a terminal says that nobody writes to it any more.
                break
    return seen


@pytest.mark.system
def test_a_first_start_shows_its_progress_and_the_address(tmp_path: Path) -> None:
    (tmp_path / "bots").mkdir()
    terminal, theirs = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": "0", "FEED": "synthetic", "BOTS_DIR": "bots",
        "TERM": "xterm", "COLUMNS": "140", "LINES": "40", "LANG": "C.UTF-8",
    }  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "arena", "serve"], cwd=tmp_path, env=environment, start_new_session=True,
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    try:
        seen = read_until(terminal, b"", SCREEN, b"No bots yet", b"tick ")
        before, _, screen = seen.partition(SCREEN)
        steps = [
            "Starting on http://127.0.0.1:",
            "The sandbox holds (level",
            "[INFO] arena: Market synthetic, season 1",
        ]
        places = [before.decode().find(step) for step in steps]
        assert -1 not in places
        assert places == sorted(places)
        (address,) = re.findall(rb"arena: (http://127\.0\.0\.1:\d+)  \(Ctrl-C stops\)", before)
        assert address in screen
        assert b"say a strategy at " + address + b"/submit" in screen
        os.write(terminal, b"q\n")
        seen = read_until(terminal, seen, GONE, b"Stopped. All is written to lab.db: season 1")
        # What stood there before the screen is not told again after it.
        assert b"season 1 opens" not in seen.partition(GONE)[2]
        assert server.wait(PATIENCE) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        os.close(terminal)


def test_the_dashboard_names_the_address(live: Running) -> None:
    from arena.cli.dashboard import LocalBoard

    board = LocalBoard(live.arena, "http://arena.example").read()
    assert board["title"].startswith("http://arena.example  Season 1  synthetic  ")
    assert bool(board["items"]) != bool(board["hint"])

"""How long from a posted source to the first answered tick?

Posted over HTTP to the real app on a loopback port: checked in a locked checker, stored in SQLite, admitted,
started in a locked worker, loaded, asked; in all, and apart from the trial run, which is one tick long here. The
beat comes as soon as the bot is loaded, so that the way is not the clock. One submission at a time with a pause
between, and the first of a server's life apart; then one upon the other without a pause. Beside it the same
without HTTP and trial, and bare forks of this very process.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import re
import socket
import statistics
import struct
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from arena.engine.live.garbage import keep_for_good
from arena.engine.seat import Seat
from arena.submissions import intake
from benchmarks import telling
from benchmarks.bench_live import Season, high
from benchmarks.bench_replay import SOURCE
from sandbox.process.limits import Limits
from sandbox.talk.protocol import HEADER

# Between two submissions, in which the children that the next one finds ready are made.
_PAUSE = 0.1


def bare_fork() -> float:
    """Fork a child of this process that writes one byte, and wait for it."""
    began = time.perf_counter()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, b"x")
        os._exit(0)
    os.close(write)
    os.read(read, 1)
    os.waitpid(pid, 0)
    os.close(read)
    return time.perf_counter() - began


def await_loaded(told: dict[str, Any], seat: Seat) -> None:
    """Wait until more has come from a worker than the word that it is locked: how loading its bot went."""
    worker = seat.worker
    assert worker is not None
    locked = HEADER.size + len("\n".join((told["level"], " ".join(told["layers"]), *told["notes"])).encode())
    give_up = time.monotonic() + 10.0
    while _waiting(worker.fileno()) <= locked and time.monotonic() < give_up:
        time.sleep(0.0001)


def _waiting(descriptor: int) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    return int(count)


def measure(bots: int = 100) -> dict[str, Any]:
    """Start so many bots one after the other and return the figures."""
    direct, forks = _direct(bots)
    (_, *apart), (first, *posted) = _posted(bots, _PAUSE)
    _, (_, *at_once) = _posted(min(bots, 50), 0.0)
    return {
        "question": "from a source to its first answered tick", "bots": bots,
        "direct_ms_p50": high(direct, 0.5), "direct_ms_p99": high(direct),
        "http_apart_ms_p50": high(apart, 0.5), "http_apart_ms_p99": high(apart),
        "http_ms_p50": high(posted, 0.5), "http_ms_p99": high(posted), "http_ms_first": high([first]),
        "at_once_ms_p50": high(at_once, 0.5), "at_once_ms_p99": high(at_once),
        "bare_fork_ms_p50": high(forks, 0.5),
        "direct_in_bare_forks": round(statistics.median(direct) / statistics.median(forks), 1),
    }  # fmt: skip


def _direct(bots: int) -> tuple[list[float], list[float]]:
    seconds, forks = [], []
    with tempfile.TemporaryDirectory() as folder:
        season = Season(folder, Limits())
        try:
            season.pool.keep_ready()
            season.beat()
            for number in range(bots):
                time.sleep(_PAUSE)
                began = time.perf_counter()
                seat = season.admit(number, f"{SOURCE}# bot {number}\n")
                await_loaded(season.pool.confinement, seat)
                while not seat.started:
                    season.beat()
                seconds.append(time.perf_counter() - began)
                season.engine.roster.retire(seat.id)
                forks.append(bare_fork())
        finally:
            season.stop()
    return seconds, forks


class Trials:
    """Counts the seconds that trial runs take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Watch every trial run."""
        play = intake.play_entries

        def timed_play(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return play(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - began

        intake.play_entries = timed_play  # type: ignore[assignment]
        try:
            yield
        finally:
            intake.play_entries = play


def _posted(bots: int, pause: float) -> tuple[list[float], list[float]]:
    """Post so many bots; return the seconds of each apart from its trial run, and in all."""
    from tests.arenas import running, settings_for

    apart, seconds, trials = [], [], Trials()
    with tempfile.TemporaryDirectory() as folder, trials.timed():
        settings = settings_for(Path(folder), trial_ticks=1, tick_interval_seconds=3600.0)
        with running(settings, Path(folder)) as arena:
            keep_for_good()
            engine = arena.arena.engine
            client = Client(arena.url)

            def tick() -> None:
                engine.on_tick(engine.market.n + 1, max(engine.market.time, time.time()) + 1.0)

            engine.call(tick).result()
            arena.get("/bots")
            told = arena.arena.status()["isolation"]
            for number in range(bots):
                time.sleep(pause)
                request = client.written(SOURCE.replace('"SMA"', f'"SMA {number}"'))
                began, before = time.perf_counter(), trials.seconds
                client.post(request)
                seat = arena.seat(f"SMA {number}")
                await_loaded(told, seat)
                while not seat.started:
                    engine.call(tick).result()
                seconds.append(time.perf_counter() - began)
                apart.append(seconds[-1] - (trials.seconds - before))
                engine.call(lambda seat=seat: engine.roster.retire(seat.id)).result()  # type: ignore[misc]
            client.close()
    return apart, seconds


class Client:
    """Posts in one piece, as a browser does, and takes next to no time itself."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host = place.netloc
        self._socket = socket.create_connection((place.hostname, place.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def written(self, source: str) -> bytes:
        """Return the request that uploads a source."""
        body = json.dumps({"source": source}).encode()
        head = f"POST /api/v1/bots HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def post(self, request: bytes) -> None:
        """Send a request and read the whole answer."""
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        head, _, body = answer.partition(b"\r\n\r\n")
        (length,) = re.findall(rb"(?i)content-length: (\d+)", head)
        while len(body) < int(length):
            body += self._socket.recv(65536)
        assert head.startswith(b"HTTP/1.1 201"), answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=100)
    parser.add_argument("--json", type=Path)
    told = parser.parse_args()
    logging.disable(logging.WARNING)
    figures = measure(told.bots)
    telling.show(figures)
    telling.write(figures, told.json)


if __name__ == "__main__":
    main()

"""How many boards of 1,000 rows does one worker serve in a second?

The real app stands in a process of its own over a database that the store's own functions have filled; a
client of plain sockets in this process keeps 16 connections busy. The baseline is the usual way, a SQLModel
select and a response model at each request, in a second app of the same process. Rounds interleaved, medians.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import selectors
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import telling
from benchmarks.board_server import BOTS, serve

CONNECTIONS = 16
QUESTIONS = {
    "baseline": ("/baseline", ""),
    "json": ("/api/v1/leaderboard?limit=1000", ""),
    "gzip": ("/api/v1/leaderboard?limit=1000", "Accept-Encoding: gzip\r\n"),
    "unchanged": ("/api/v1/leaderboard?limit=1000", "Accept-Encoding: gzip\r\nIf-None-Match: {tag}\r\n"),
    "top 100": ("/api/v1/leaderboard?limit=100", ""),
    "top 100 gzip": ("/api/v1/leaderboard?limit=100", "Accept-Encoding: gzip\r\n"),
    "csv": ("/api/v1/leaderboard?limit=1000", "Accept: text/csv\r\n"),
}


class Line:
    """One kept-alive connection that asks the same question again and again."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self._socket = socket.create_connection(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._buffer = bytearray(1 << 20)
        self._left = 0
        self.asked_at = 0.0

    def fileno(self) -> int:
        """Return the socket, for the selector."""
        return self._socket.fileno()

    def ask(self) -> None:
        """Send the question."""
        self.asked_at = time.perf_counter()
        self._socket.sendall(self._request)

    def read(self) -> bool:
        """Take what has come; say whether the answer is complete."""
        count = self._socket.recv_into(self._buffer)
        if not count:
            raise ConnectionError("the server has hung up")
        if self._left:
            self._left -= count
        else:
            self._left = self._begun(count) - count
        return not self._left

    def _begun(self, count: int) -> int:
        """Return the size of the whole answer whose beginning is in the buffer."""
        end = self._buffer.find(b"\r\n\r\n", 0, count)
        head = bytes(self._buffer[:end]).lower()
        if b" 304 " in head[:20]:
            return end + 4
        assert b" 200 " in head[:20], head
        return end + 4 + int(head.partition(b"content-length:")[2].split(None, 1)[0])

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def load(address: tuple[str, int], request: bytes, seconds: float) -> tuple[float, float, float, int]:
    """Keep all lines busy; return requests a second, p50 and p99 in milliseconds, and the number of requests."""
    lines = [Line(address, request) for _ in range(CONNECTIONS)]
    taken: list[float] = []
    started = time.perf_counter()
    with selectors.EpollSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ, line)
            line.ask()
        # What is under way is waited for: its work would else be done in the next measurement's time.
        busy = len(lines)
        while busy:
            for key, _ in selector.select():
                if key.data.read():
                    now = time.perf_counter()
                    taken.append(now - key.data.asked_at)
                    if now - started < seconds:
                        key.data.ask()
                    else:
                        busy -= 1
    for line in lines:
        line.close()
    taken.sort()
    count = len(taken)
    return count / (now - started), taken[count // 2] * 1e3, taken[int(count * 0.99)] * 1e3, count


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU a process has used: what it could serve on a machine of its own."""
    words = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def asked_once(address: tuple[str, int], request: bytes) -> tuple[dict[str, str], int]:
    """Return the headers of one answer and the size of its body."""
    with socket.create_connection(address) as line:
        line.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        data = b"".join(iter(lambda: line.recv(1 << 20), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    pairs = (one.partition(": ") for one in head.decode().split("\r\n")[1:])
    return {name.lower(): value for name, _, value in pairs}, len(body)


@contextmanager
def server(rows: int) -> Iterator[tuple[tuple[str, int], int]]:
    """Run the app in a process of its own; yield its address and the process's id."""
    with tempfile.TemporaryDirectory() as folder:
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        address: tuple[str, int] = listening.getsockname()
        child = multiprocessing.get_context("fork").Process(target=serve, args=(listening, Path(folder), rows))
        child.start()
        listening.close()
        try:
            assert child.pid is not None
            yield address, child.pid
        finally:
            if child.pid is not None and child.is_alive():
                os.kill(child.pid, signal.SIGTERM)
            child.join(20)


def measure(rows: int = BOTS, rounds: int = 5, seconds: float = 1.0) -> dict[str, Any]:
    """Return requests a second and latencies for every question, medians of the rounds."""
    found: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in QUESTIONS}
    sizes: dict[str, int] = {}
    with server(rows) as (address, pid):
        requests: dict[str, bytes] = {}
        for name, (path, headers) in QUESTIONS.items():
            plain = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{address[1]}\r\n{headers}\r\n"
            if "{tag}" in plain:
                tag = asked_once(address, requests["gzip"])[0]["etag"]
                plain = plain.replace("{tag}", tag)
            requests[name] = plain.encode()
            sizes[name] = asked_once(address, requests[name])[1]
        for _ in range(rounds):
            for name, request in requests.items():
                before = cpu_of(pid)
                rate, p50, p99, count = load(address, request, seconds)
                found[name].append((rate, p50, p99, count / max(cpu_of(pid) - before, 1e-2)))
    medians = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in found.items()}
    return {
        "question": "boards a second from one worker", "rows": rows, "connections": CONNECTIONS, "rounds": rounds,
        "figures": {
            name: {
                "bytes": sizes[name], "requests_per_second": round(rate, 1), "p50_ms": round(p50, 2),
                "p99_ms": round(p99, 2), "per_cpu_second": round(per_cpu, 1),
                "ratio": round(rate / medians["baseline"][0], 1),
            }
            for name, (rate, p50, p99, per_cpu) in medians.items()
        },
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rows", type=int, default=BOTS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = measure(given.rows, given.rounds, given.seconds)
    telling.write(found, given.json)
    print(f"{'':14}{'bytes':>9}{'req/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'per CPU s':>11}{'ratio':>8}")
    for name, row in found["figures"].items():
        print(
            f"{name:14}{row['bytes']:>9}{row['requests_per_second']:>10.0f}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}"
            f"{row['per_cpu_second']:>11.0f}{row['ratio']:>8.1f}"
        )


if __name__ == "__main__":
    sys.exit(main())

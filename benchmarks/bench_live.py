"""How long does a live tick's barrier take with many locked bots?

N locked workers with the SMA bot are asked once a round and all answer; the baseline is a bare pipe
barrier over N forked children that echo the same number of bytes. Rounds interleaved, medians.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import struct
import sys
import time

from arena.core.ledger import Account
from arena.runtime.start import Start
from arena.runtime.wire import pack_run
from benchmarks.bench_replay import SOURCE
from sandbox.barrier import Ask, gather
from sandbox.pool import Pool
from sandbox.protocol import Kind

ROUNDS = 30


class BareBarrier:
    """N children that echo; pipes, blocking reads in order."""

    def __init__(self, count: int, size: int) -> None:
        self._pipes = []
        self._size = size
        for _ in range(count):
            down_read, down_write = os.pipe()
            up_read, up_write = os.pipe()
            pid = os.fork()
            if pid == 0:
                while data := os.read(down_read, 65536):
                    os.write(up_write, data[:32])
                os._exit(0)
            os.close(down_read)
            os.close(up_write)
            self._pipes.append((pid, down_write, up_read))

    def round(self) -> float:
        """Ask all, read all; return the seconds."""
        message = b"x" * self._size
        started = time.perf_counter()
        for _, down, _ in self._pipes:
            os.write(down, message)
        for _, _, up in self._pipes:
            os.read(up, 65536)
        return time.perf_counter() - started

    def stop(self) -> None:
        """End the children."""
        for pid, _, _ in self._pipes:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    pool = Pool("arena.runtime.bot:BotRuntime")
    pool.start()
    program = pool.check(SOURCE.encode()).program
    workers = []
    started = time.perf_counter()
    for number in range(count):
        start = Start("SMA", number, 0.0, False, {}, {}, ("BTCUSDT",), Account(10_000.0), (10_000.0, 0.0, 0.0))
        worker, ask = pool.spawn(program, start.pack())
        gather([ask])
        workers.append(worker)
    spawn = (time.perf_counter() - started) / count
    bare = BareBarrier(count, 80)
    locked, plain = [], []
    try:
        for n in range(ROUNDS):
            rows = struct.pack("<2d", 1.7e9 + n, 69_000.0 + n)
            run = pack_run(rows, 1, ("BTCUSDT",), Account(10_000.0), with_symbols=False)
            before = time.perf_counter()
            answers = gather([Ask(w, Kind.CALL, run, 0.1, 1.0) for w in workers], 5.0)
            locked.append(time.perf_counter() - before)
            assert all(answer.payload is not None for answer in answers)
            plain.append(bare.round())
    finally:
        bare.stop()
        pool.stop()
    print(json.dumps({
        "question": "a live tick's barrier with locked bots against a bare pipe barrier", "bots": count,
        "start_ms_per_bot": round(spawn * 1000, 2),
        "locked_ms_p50": round(statistics.median(locked) * 1000, 2),
        "locked_ms_max": round(max(locked) * 1000, 2),
        "bare_ms_p50": round(statistics.median(plain) * 1000, 2),
        "ratio": round(statistics.median(plain) / statistics.median(locked), 3),
    }, indent=2))  # fmt: skip


if __name__ == "__main__":
    main()

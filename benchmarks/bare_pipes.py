"""The floor of any barrier over pipes: forked children that do nothing but echo."""

from __future__ import annotations

import os
import signal
import time


class BarePipes:
    """So many echoing children, asked all and read all in order, with blocking reads."""

    def __init__(self, count: int, size: int, *, nice: int = 0) -> None:
        self._message = b"x" * size
        self._children: list[tuple[int, int, int]] = []
        for _ in range(count):
            down_read, down_write = os.pipe()
            up_read, up_write = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.nice(nice)
                while data := os.read(down_read, 65536):
                    os.write(up_write, data[:32])
                os._exit(0)
            os.close(down_read)
            os.close(up_write)
            self._children.append((pid, down_write, up_read))

    def rounds(self, count: int = 1) -> float:
        """Ask all and read all, so many times; return the seconds."""
        message = self._message
        started = time.perf_counter()
        for _ in range(count):
            for _, down, _ in self._children:
                os.write(down, message)
            for _, _, up in self._children:
                os.read(up, 65536)
        return time.perf_counter() - started

    def stop(self) -> None:
        """End the children."""
        for pid, down, up in self._children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(down)
            os.close(up)

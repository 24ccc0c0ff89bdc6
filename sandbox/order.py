"""A child that has been asked of the zygote and has not been handed to anyone yet."""

from __future__ import annotations

import os
import resource
import socket
from concurrent.futures import Future
from dataclasses import dataclass, field

from sandbox.errors import OutOfSlotsError
from sandbox.handle import Handle

# Descriptors that workers leave to all else: requests, the database, the handle by which one of them is killed.
_RESERVE = 100


@dataclass(slots=True)
class Order:
    """One request to fork: the identity set aside for it, our ends of its pipes, and what will come."""

    uid: int | None
    control: socket.socket
    down: int
    up: int
    # The process id and its handle.
    future: Future[tuple[int, Handle]] = field(default_factory=Future)

    def drop(self) -> int | None:
        """Close what belongs to it; return the process id if there is one."""
        os.close(self.down)
        os.close(self.up)
        if not self.future.done() or self.future.exception() is not None:
            return None
        pid, handle = self.future.result()
        handle.close()
        return pid


def two_pipes() -> tuple[int, int, int, int]:
    """Return two pipes, each as its reading and its writing end; our own two do not block."""
    ends: list[int] = []
    try:
        ends += os.pipe2(os.O_CLOEXEC)
        ends += os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        for end in ends:
            os.close(end)
        raise OutOfSlotsError(f"cannot start a worker: {error.strerror}") from error
    down_read, down_write, up_read, up_write = ends
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if up_write >= allowed - _RESERVE:
        for end in ends:
            os.close(end)
        raise OutOfSlotsError(f"cannot start a worker: the limit of {allowed} open descriptors is near")
    os.set_blocking(down_write, False)
    os.set_blocking(up_read, False)
    return down_read, down_write, up_read, up_write

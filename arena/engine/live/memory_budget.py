"""How much memory all bots together take, and how much they may."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path

_PAGE = resource.getpagesize()
_SHARE = 0.75  # of the machine's memory, where no budget is set
_LEAST = 2 << 20  # what a worker takes in any case, bytes
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def budget(mebibytes: int) -> int:
    """Return the bytes that all workers may take; 0 stands for three quarters of what this machine gives us."""
    if mebibytes:
        return mebibytes << 20
    machine = os.sysconf("SC_PHYS_PAGES") * _PAGE
    try:
        limit = int(_CGROUP.read_text())
    except (OSError, ValueError):
        # No such file, or the word `max`.
        limit = machine
    return int(min(machine, limit) * _SHARE)


def memory_of(workers: Iterable[int], zygote: int | None) -> int:
    """Return about how many bytes workers take of their own: what each has beyond the zygote it was forked from."""
    return sum(memories_of(workers, zygote))


def memories_of(workers: Iterable[int], zygote: int | None) -> list[int]:
    """Return the same of each."""
    inherited = _anonymous(zygote) if zygote is not None else 0
    return [max(_anonymous(pid) - inherited, _LEAST) for pid in workers]


def _anonymous(pid: int) -> int:
    """Return the bytes of a process that no file stands behind."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(resident) - int(shared)) * _PAGE
    except (OSError, ValueError):
        # It has ended meanwhile.
        return 0

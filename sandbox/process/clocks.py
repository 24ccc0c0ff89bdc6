"""Removes the vDSO clock from a process: the page from which libc reads the time without a system call.

On every architecture the kernel maps a few pages of its own, "[vvar]", which hold the time, and code beside
them, "[vdso]", which reads it. With zeroes in the place of those pages that code finds no clock it can use
and makes the system call, which a filter can refuse; what only counts seconds finds the year 1970.
The instruction that reads the processor's own counter is left: no code that a bot can write holds it, and
to forbid it (PR_SET_TSC) would kill whoever asks for the time instead of telling him.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from sandbox.process import kernel

# The last second of the first day: later than what a clock without a time can show.
_EPOCH = 86_400


def stop() -> bool:
    """Remove the clock page from this process and all it forks; say whether it is gone."""
    # A kernel may have sealed these pages; then this cannot be done.
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_bytes().splitlines():
            span, *_, name = line.split(maxsplit=5)
            if name.startswith(b"[vvar"):
                start, end = (int(edge, 16) for edge in span.split(b"-"))
                kernel.map_zeroes(start, end - start)
    return stopped()


def stopped() -> bool:
    """Say whether libc can read no time without a system call."""
    return kernel.wall_seconds() < _EPOCH

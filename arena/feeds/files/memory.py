"""Whether polars, which reads the tables, fits under a limit of the process's address space.

Where it does not, it fails in ways that nobody can catch: half of it is missing, or it ends the
process. So that is found out before it is asked for anything.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections import deque
from pathlib import Path

from arena.errors import MarketDataError

MEMORY = Path("/proc/meminfo")
_NEEDED = 1 << 30  # bytes that its code, its threads and their stores of memory take; hardly any are ever touched
_LOADED = 896 << 20  # bytes that are left of them to take once its code is there
_SPARE = 128 << 20  # bytes that it takes to write once it is there
_WRITTEN = 64  # bytes that it takes to write a row
_KEPT = 24  # bytes that it takes to put the time and the price of a row beside all others, and to look through them
_READ = 256  # bytes that it takes to read one from columns, which are in memory all at once, and to copy them


_BEGUN: deque[str] = deque(maxlen=1)  # the file that polars was first used for


def require_room(label: str) -> None:
    """Raise MarketDataError if polars would not fit; to be asked before it is imported."""
    _require(f"{label} is read by polars", _left(), _first_need(), "convert the file elsewhere")
    if "polars" in sys.modules:
        _BEGUN.append(label)


def _first_need() -> int:
    """Return what the next use of polars takes: most of it goes to its threads, which come with the first one."""
    if _BEGUN:
        return _SPARE
    return _LOADED if "polars" in sys.modules else _NEEDED


def require_room_for_rows(label: str, rows: int) -> None:
    """Raise MarketDataError if polars, which has been loaded, could not hold so many rows."""
    _require(f"{label} is read as a whole", _left(), rows * _READ, "convert it to .csv.gz elsewhere")
    needed, free = rows * _READ, free_memory()
    if needed > free:
        raise MarketDataError(
            f"{label} has {rows:,} rows, which take about {needed >> 20:,} MiB of memory, and this machine has "
            f"{free >> 20:,} MiB left: split it, or convert it to .csv.gz elsewhere."
        )


def require_room_for_prices(label: str, rows: int) -> None:
    """Raise MarketDataError if a line of all prices of so many rows could not be put together."""
    needed, free = rows * _KEPT, min(_left(), free_memory())
    if needed > free:
        raise MarketDataError(
            f"{label} has more than {rows:,} rows, and memory for no more of them: it would take {needed >> 20:,} MiB, "
            f"and {free >> 20:,} MiB are left. Split it, or thin it: "
            "`arena data convert` with --interval keeps one price a tick."
        )


def require_room_to_write(label: str, rows: int) -> None:
    """Raise MarketDataError if polars would not fit with so many rows to write."""
    needed = _first_need() + rows * _WRITTEN
    _require(f"{label} is written by polars", _left(), needed, "write .csv or .csv.gz")


def _require(what: str, left: int, needed: int, instead: str) -> None:
    if left < needed:
        raise MarketDataError(
            f"{what}, which does not fit: it takes {needed >> 20:,} MiB of address space, and the limit of this "
            f"process leaves {left >> 20:,}. Raise the limit (`ulimit -v unlimited`) or {instead}."
        )


def free_memory() -> int:
    """Return how many bytes this machine can still give, a great many where it does not say."""
    with contextlib.suppress(OSError):  # other systems have no such file
        told = re.search(r"^MemAvailable:\s+(\d+) kB", MEMORY.read_text("ascii"), re.MULTILINE)
        if told:
            return int(told[1]) << 10
    return sys.maxsize


def _left() -> int:
    """Return how many bytes the limit leaves, a great many without one."""
    with contextlib.suppress(ImportError, OSError):  # other systems have neither limit nor status
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            status = Path("/proc/self/status").read_text("ascii")
            taken = re.search(r"^VmSize:\s+(\d+) kB", status, re.MULTILINE)
            return max(0, limit - (int(taken[1]) << 10)) if taken else limit
    return sys.maxsize

"""Whether the general reader, polars, fits under a limit of the process's address space.

Where it does not, it fails in ways that nobody can catch: half of it is missing, or it ends the
process. So that is found out before it is asked for anything.
"""

from __future__ import annotations

import contextlib
import re
from functools import cache
from pathlib import Path

from arena.errors import MarketDataError

_NEEDED = 1 << 30  # bytes that its code, its threads and their stores of memory take; hardly any are ever touched


def require_room(label: str) -> None:
    """Raise MarketDataError if the general reader is needed for a file and would not fit."""
    left = _left_at_first()
    if left < _NEEDED:
        raise MarketDataError(
            f"{label} needs the general reader, which does not fit: it takes {_NEEDED >> 20:,} MiB of address space, "
            f"and the limit of this process leaves {left >> 20:,}. Raise the limit (`ulimit -v unlimited`) or, in a "
            "text, mend the lines that are unlike the others, such as a second header or one that is cut short."
        )


@cache
def _left_at_first() -> int:
    """Return how many bytes the limit left when it was first asked for; later the reader has its share already."""
    with contextlib.suppress(ImportError, OSError):  # other systems have neither limit nor status
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            status = Path("/proc/self/status").read_text("ascii")
            taken = re.search(r"^VmSize:\s+(\d+) kB", status, re.MULTILINE)
            return max(0, limit - (int(taken[1]) << 10)) if taken else limit
    return _NEEDED

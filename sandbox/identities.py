"""User ids that nothing else uses: one for each worker where the server runs as root."""

from __future__ import annotations

import pwd
from pathlib import Path

from sandbox.errors import SandboxUnavailableError
from sandbox.limits import Limits


def free_uids(limits: Limits) -> list[int]:
    """Return unused uids that exist in this user namespace."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    ranges = []
    for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
        inside, _, count = (int(part) for part in line.split())
        ranges.append((inside, inside + count))
    wanted = range(limits.uid_base, limits.uid_base + limits.uid_count)
    usable = [uid for uid in wanted if uid not in taken and any(a <= uid < b for a, b in ranges)]
    if not usable:
        raise SandboxUnavailableError(
            f"no unused user id from {limits.uid_base} on: set SANDBOX_UID_BASE to a free range"
        )
    return usable

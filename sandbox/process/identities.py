"""Unused user ids, one for each worker where the server runs as root."""

from __future__ import annotations

import pwd
import threading
from collections import deque
from pathlib import Path

from sandbox.errors import OutOfSlotsError, SandboxUnavailableError
from sandbox.process.limits import Limits


class Identities:
    """Hands out user ids, each to one worker at a time; None each time where there are none to hand out."""

    def __init__(self, uids: list[int] | None = None) -> None:
        self._lock = threading.Lock()
        self._free = None if uids is None else deque(uids)

    def take(self) -> int | None:
        """Return an id that no worker has; OutOfSlotsError if all are in use."""
        if self._free is None:
            return None
        with self._lock:
            if not self._free:
                raise OutOfSlotsError("every worker identity is in use; no more bots can start")
            return self._free.popleft()

    def give_back(self, uid: int | None) -> None:
        """Take back the id of a worker that has ended."""
        if self._free is not None and uid is not None:
            with self._lock:
                self._free.append(uid)


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

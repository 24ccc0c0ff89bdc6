"""What a guest runtime is given inside a worker, and what it must offer.

The sandbox knows nothing of what a bot is for: the server names a `Guest` class ("module:name"), the
zygote imports it, and every worker makes one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol, cast

from sandbox.language.modules.services import Services
from sandbox.process.lockdown import Tripwire

Namespace = dict[str, Any]


class Host:
    """What the sandbox gives a guest: virtual clock, seeded randomness, log, and tripwire."""

    def __init__(self, services: Services, tripwire: Tripwire) -> None:
        self._services = services
        self._tripwire = tripwire

    @property
    def clock(self) -> Services:
        """Return what has the virtual clock: its `now`, Unix seconds, is set at every tick."""
        return self._services

    def seed(self, seed: int) -> None:
        """Seed all random generators of this process."""
        self._services.seed(seed)

    def set_log(self, sink: Callable[[str, str], None]) -> None:
        """Send `print` and `logging` to a sink of (level, text)."""
        self._services.log = sink

    def reset(self) -> None:
        """Put clock, randomness and log back as they were before a rehearsal."""
        self._services.reset()

    def arm(self) -> None:
        """Start the tripwire: from now on only guest code runs between frames."""
        self._tripwire.arm()

    def watch(self, watcher: Callable[[FrameType, str, Any], Any] | None) -> None:
        """Have a function of the runtime's told of every line that guest code runs, until called with None."""
        with self._tripwire.quiet():
            sys.settrace(watcher)


class Guest(Protocol):
    """The server's runtime beside a bot; all its input comes from the server as bytes.

    One is made in the zygote and copied into every worker by the fork. A class may also offer
    `rehearsal()`, which returns a source and some starts, each with calls to follow it, that are played before
    any fork; the last of them does what most bots do.
    """

    def __init__(self, host: Host) -> None: ...

    def inspect(self, namespace: Namespace) -> tuple[list[tuple[str, str]], dict[str, Any]]:
        """Return (rule, detail) pairs that a loaded module breaks, and facts about it as JSON."""

    def start(self, meta: bytes, load: Callable[[], Namespace]) -> bytes:
        """Load the bot and prepare it; the bytes go to the server as they are."""

    def call(self, payload: bytes) -> bytes:
        """Answer one request; bot errors are part of the answer, not exceptions."""


class Remembering(Protocol):
    """What a guest offers beside, whose bots' memory can be saved."""

    def named(self) -> dict[str, Any]:
        """Return by name the objects that a bot is handed and that every process has."""

    def state(self) -> Any:
        """Return what the runtime itself remembers, as values that can be marshalled."""

    def reload(self, meta: bytes, load: Callable[[], Namespace]) -> None:
        """Load the bot as `start` did, and go no further."""

    def resume(self, state: Any) -> None:
        """Go on from what `state` returned; it comes from a worker and may be anything."""


def remembering(guest: Guest) -> Remembering | None:
    """Return the guest if its bots' memory can be saved."""
    return cast(Remembering, guest) if hasattr(guest, "resume") else None

"""Where bots run, if not in this process: what the head asks of a host."""

from __future__ import annotations

from typing import Protocol

from arena.engine.live.host_messages import HostResult, HostTick, SeasonStart


class HostLostError(Exception):
    """A host does not answer any more, or answers what it may not."""


class SeatHost(Protocol):
    """One machine that plays seats; used by the engine's thread, but for `close`.

    `capacity` is how many bytes its workers may take, `level` the isolation level that it has proved.
    """

    name: str
    capacity: int
    level: str

    def open(self, season: SeasonStart) -> None:
        """Begin a season there, with no seat yet; workers of one before are ended. HostLostError if it is gone."""

    def send(self, tick: HostTick) -> None:
        """Send a tick; HostLostError if it is gone."""

    def receive(self, seconds: float | None) -> HostResult:
        """Return what came of the tick; HostLostError if it is gone or takes longer than this, None for no limit."""

    def close(self, reason: str) -> None:
        """Give the host up: nothing of it is heard any more, and it ends its workers; callable from any thread."""

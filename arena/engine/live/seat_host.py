"""Where bots run, if not in this process: what the head asks of a host."""

from __future__ import annotations

from typing import Protocol

from arena.engine.live.host_messages import HostResult, HostTick, SeasonStart


class HostLostError(Exception):
    """A host does not answer any more, or answers what it may not."""


def too_much(most: int) -> str:
    """Return why a host is lost that has sent more than it was asked for."""
    return f"it sent more than the {most:,} bytes that its bots can say at a tick"


class SeatHost(Protocol):
    """One machine that plays seats; used by the engine's thread, but for `close`.

    `capacity` is how many bytes its workers may take, `level` the isolation level that it has proved.
    """

    name: str
    capacity: int
    level: str

    def open(self, season: SeasonStart) -> None:
        """Begin a season there, with no seat yet; workers of one before are ended. HostLostError if it is gone."""

    def send(self, tick: HostTick, most: int) -> None:
        """Send a tick whose answer may take `most` bytes; HostLostError if it is gone."""

    def receive(self, seconds: float | None) -> HostResult:
        """Return what came of the tick.

        HostLostError if it is gone, takes longer than this, None for no limit, or sends more than it was asked for;
        ValueError if it says what it may not.
        """

    def close(self, reason: str) -> None:
        """Give the host up: nothing of it is heard any more, and it ends its workers; callable from any thread."""

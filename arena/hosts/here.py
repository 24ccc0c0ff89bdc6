"""A host in this process: the same seats and messages as on another machine, without a wire between."""

from __future__ import annotations

from arena.engine.live.host_messages import HostResult, HostTick, SeasonStart
from arena.engine.live.host_seats import HostSeats
from arena.engine.live.seat_host import HostLostError
from arena.hosts.wire import decode, encode
from sandbox.pool import Pool


class HostHere:
    """Plays seats with a pool of its own; each message is packed and read as if it had come from elsewhere."""

    def __init__(self, name: str, pool: Pool, capacity: int) -> None:
        self.name = name
        self.capacity = capacity
        self.level = str(pool.confinement["level"])
        self._pool = pool
        self._seats: HostSeats | None = None
        self._tick: bytes | None = None

    def open(self, season: SeasonStart) -> None:
        """Begin a season."""
        self.close("another season begins")
        self._seats = HostSeats(self._pool, decode(encode(season), SeasonStart))

    def send(self, tick: HostTick) -> None:
        """Keep a tick for `receive`."""
        self._tick = encode(tick)

    def receive(self, seconds: float | None) -> HostResult:
        """Play the tick."""
        del seconds
        if self._seats is None or self._tick is None:
            raise HostLostError("it is closed")
        return decode(encode(self._seats.play(decode(self._tick, HostTick))), HostResult)

    def close(self, reason: str) -> None:
        """End its workers."""
        del reason
        if self._seats is not None:
            self._seats.end()
            self._seats = None

"""A host in this process: the same seats and messages as on another machine, without a wire between."""

from __future__ import annotations

from arena.engine.live.host_messages import HostResult, HostTick, SeasonStart
from arena.engine.live.host_seats import HostSeats
from arena.engine.live.seat_host import HostLostError, too_much
from arena.hosts.wire import decode, decode_rows, encode
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
        self._most = 0

    def open(self, season: SeasonStart) -> None:
        """Begin a season."""
        self.close("another season begins")
        self._seats = HostSeats(self._pool, decode(encode(season), SeasonStart))

    def send(self, tick: HostTick, most: int) -> None:
        """Keep a tick for `receive`."""
        self._tick, self._most = encode(tick), most

    def receive(self, seconds: float | None) -> HostResult:
        """Play the tick."""
        del seconds
        if self._seats is None or self._tick is None:
            raise HostLostError("it is closed")
        said = encode(self._seats.play(decode(self._tick, HostTick)))
        if len(said) > self._most:
            raise HostLostError(too_much(self._most))
        return decode_rows(said, HostResult)

    def close(self, reason: str) -> None:
        """End its workers."""
        del reason
        if self._seats is not None:
            self._seats.end()
            self._seats = None

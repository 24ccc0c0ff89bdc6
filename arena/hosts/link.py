"""The head's end of a host's connection: one message a tick there, one back, all under one fencing token."""

from __future__ import annotations

import socket
import struct
import threading

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.sync.connection import Connection

from arena.engine.live.host_messages import HostResult, HostTick, SeasonStart
from arena.engine.live.seat_host import HostLostError, too_much
from arena.hosts.wire import Envelope, Hello, decode_rows, encode

# Seconds. A connection whose other end does not answer a ping so long is closed by both.
PING_EVERY, PING_WAIT = 2.0, 6.0
LEASE = PING_EVERY + PING_WAIT
# A host that does not read is lost; the clock does not wait for it.
_SEND_SECONDS = 2
_AROUND = 64  # bytes of an envelope beside its content


class HostLink:
    """One host that has joined by a connection of its own, as the engine sees it."""

    def __init__(self, connection: Connection, name: str, hello: Hello, fence: int) -> None:
        self.name = name
        self.capacity = hello.capacity
        self.level = hello.level
        self.fence = fence
        self.closed = threading.Event()
        self.reason = ""
        self._connection = connection
        self._most = 0
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", _SEND_SECONDS, 0))

    def open(self, season: SeasonStart) -> None:
        """Begin a season there."""
        self._send("season", season)

    def send(self, tick: HostTick, most: int) -> None:
        """Send a tick; an answer longer than `most` bytes ends the connection before it is read."""
        self._most = most
        self._connection.protocol.max_message_size = most + _AROUND
        self._send("tick", tick)

    def receive(self, seconds: float | None) -> HostResult:
        """Return what came of the tick."""
        self._check_open()
        try:
            data = self._connection.recv(timeout=seconds)
        except TimeoutError:
            raise HostLostError(f"it gave no answer within {seconds or 0.0:.1f} s") from None
        except (ConnectionClosed, OSError) as error:
            if isinstance(error, ConnectionClosed) and error.sent and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
                raise HostLostError(too_much(self._most)) from None
            raise HostLostError(f"its connection has ended ({type(error).__name__})") from None
        return decode_rows(_content(data, "result", self.fence), HostResult)

    def close(self, reason: str) -> None:
        """End the connection; the host ends its workers as soon as it learns of it, at the latest with its lease."""
        if not self.closed.is_set():
            self.reason = reason
            self.closed.set()
            # On a thread of its own: a frozen host answers no farewell, and the clock does not wait for one.
            threading.Thread(target=self._hang_up, args=(reason,), name=f"farewell-{self.name}", daemon=True).start()

    def _hang_up(self, reason: str) -> None:
        self._connection.close(1000, reason[:80].encode("ascii", "replace").decode())

    def _check_open(self) -> None:
        if self.closed.is_set():
            raise HostLostError(self.reason)

    def _send(self, kind: str, message: object) -> None:
        self._check_open()
        try:
            self._connection.send(encode(Envelope(kind, self.fence, encode(message))))
        except (ConnectionClosed, OSError) as error:
            raise HostLostError(f"its connection has ended ({type(error).__name__})") from None


def _content(data: str | bytes, kind: str, fence: int) -> bytes:
    """Return the content of a message of a kind; ValueError where it is another, or under another token."""
    found = read_envelope(data)
    if found.kind != kind:
        raise ValueError(f"it sent {found.kind[:20]!r} where {kind!r} was due")
    if found.fence != fence:
        raise ValueError(f"it spoke under lease {found.fence}, and {fence} is in force")
    return found.content


def read_envelope(data: str | bytes) -> Envelope:
    """Return what a message is; ValueError where it is none."""
    if isinstance(data, str):
        raise ValueError("text, where messages are bytes")  # noqa: TRY004 - of the wire, not of a type
    return decode_rows(data, Envelope)

"""How the server listens: uvicorn with limits on heads, on slow and half-open connections, and on their number.

uvicorn bounds a head only under h11 and waits for ever for the rest of a request; both are bounded here for its
quicker parser, by counting what it is fed and by one timer a connection.
"""

from __future__ import annotations

from asyncio import Protocol, TimerHandle, Transport
from collections import Counter
from dataclasses import dataclass, field

import orjson
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from arena.web.problems import problem

KIB = 1024


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one client may take of the server; seconds, bytes and counts."""

    head_bytes: int = 32 * KIB
    head_fields: int = 100
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    unread_seconds: float = 60.0  # how long an answer may wait for its reader
    per_address: int = 256
    connections: int = 1024


@dataclass(slots=True)
class Connections:
    """The open connections, counted by address."""

    limits: ConnectionLimits
    by_address: Counter[str] = field(default_factory=Counter)

    def enter(self, address: str) -> str | None:
        """Count a connection, or say why there is no room for it."""
        if self.by_address.total() >= self.limits.connections:
            return "The server has as many connections as it takes; try again in a moment."
        if self.by_address[address] >= self.limits.per_address:
            return f"Your address has {self.limits.per_address} connections already; close some of them."
        self.by_address[address] += 1
        return None

    def leave(self, address: str) -> None:
        """Count a connection no more."""
        self.by_address[address] -= 1
        if self.by_address[address] <= 0:
            del self.by_address[address]


class LimitedHttp(HttpToolsProtocol):
    """uvicorn's protocol, which hangs up on a client that takes more than its share."""

    table: Connections  # one a server; a subclass of its own holds it

    # -- the connection

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Let a connection in, or answer at once that there is no room."""
        self._timer: TimerHandle | None = None
        self._stalled: TimerHandle | None = None
        self._within_request = self._too_many = False
        self._overhead = self._body_fed = 0
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        full = self.table.enter(self._address)
        self._entered = full is None
        if full is not None:
            self._refuse(429, full)
            return
        self._arm(self.table.limits.head_seconds, "The head of a request did not come in time.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._disarm()
        if self._stalled is not None:
            self._stalled.cancel()
        if self._entered:
            self._entered = False
            self.table.leave(self._address)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for a reader that is behind, but not for ever."""
        super().pause_writing()
        self._stalled = self.loop.call_later(self.table.limits.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the reader has caught up."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    # -- what comes in

    def data_received(self, data: bytes) -> None:
        """Feed the parser a piece at a time and count what is not body."""
        if self._timer is None and not self._within_request:
            self._arm(self.table.limits.head_seconds, "The head of a request did not come in time.")
        for at in range(0, len(data), 16 * KIB):
            if self.transport.is_closing():
                return
            piece = data[at : at + 16 * KIB]
            self._body_fed = 0
            super().data_received(piece)
            self._overhead += len(piece) - self._body_fed
            if self._overhead > self.table.limits.head_bytes:
                self._refuse(431, f"The head of the request is larger than {self.table.limits.head_bytes // KIB} KiB.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field, but not any number of them: an error here ends the parsing."""
        if len(self.headers) >= self.table.limits.head_fields:
            self._too_many = True
            raise ValueError("too many fields")
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """Begin to count anew."""
        super().on_message_begin()
        # What a proxy says of its clients replaces the address, not this.
        self.scope["state"]["peer"] = self._address
        # Much of the piece that is being fed may belong to the request before.
        self._overhead = -16 * KIB if self._within_request or self.cycle is not None else 0
        self._within_request = True

    def on_headers_complete(self) -> None:
        """Wait for the body now."""
        self._arm(self.table.limits.body_seconds, "The body of a request did not come in time.")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the body apart: its own limit is the application's."""
        self._body_fed += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock: what follows is the answer."""
        self._disarm()
        self._within_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request as every other error is answered."""
        del msg
        if self._too_many:
            self._refuse(431, f"The head of the request has more than {self.table.limits.head_fields} fields.")
        else:
            self._refuse(400, "This is not an HTTP request that can be read.")

    # -- limits

    def _arm(self, seconds: float, late: str) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, self._late, late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self, sentence: str) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(408, sentence)

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer with a problem, unless an answer is under way, and hang up."""
        self._disarm()
        if self.cycle is None or self.cycle.response_complete:
            body = orjson.dumps(problem(status, sentence))
            more = b"retry-after: 5\r\n" if status == 429 else b""
            self.transport.write(
                b"HTTP/1.1 %d %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n%b"
                b"connection: close\r\n\r\n%b"
                % (status, str(problem(status, "")["title"]).encode(), len(body), more, body)
            )
        self.transport.close()


def server_config(app: FastAPI, limits: ConnectionLimits | None = None) -> uvicorn.Config:
    """Return how uvicorn serves an app of ours."""
    table = Connections(limits or ConnectionLimits())
    protocol: type[Protocol] = type("LimitedHttp", (LimitedHttp,), {"table": table})
    return uvicorn.Config(
        app, loop="uvloop", http=protocol, ws="none", log_config=None, access_log=False, lifespan="off",
        timeout_graceful_shutdown=3,
    )  # fmt: skip

"""Reads wait in line: so many of a kind at once, so many in line, so many of one address; never the clock.

A read beyond that is answered 429 at once. Writes have a line of their own, so that slow ones, such as trial runs,
do not hold up the reads.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

from arena.web.problems import TooManyError
from arena.web.streams import while_let_in

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class ConcurrencyLimit:
    """One kind of work; used by the event loop only."""

    name: str
    at_once: int
    in_line: int
    per_address: int
    _present: Counter[str] = field(default_factory=Counter)
    _places: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._places = asyncio.Semaphore(self.at_once)

    @property
    def present(self) -> int:
        """Return how much of it is under way or in line."""
        return self._present.total()

    @asynccontextmanager
    async def place(self, request: Request) -> AsyncIterator[None]:
        """Wait for a place and hold it; TooManyError where the line is full or the address has its share."""
        address = address_of(request)
        if self._present[address] >= self.per_address:
            raise TooManyError(f"Your address is asking for {self.per_address} {self.name} already; wait for them.")
        if self._present.total() >= self.at_once + self.in_line:
            raise TooManyError(f"Too many {self.name} are being asked for at once; try again in a moment.")
        self._present[address] += 1
        try:
            async with self._places:
                yield
        finally:
            self._present[address] -= 1
            if not self._present[address]:
                del self._present[address]

    async def run(self, request: Request, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a piece of work on a thread, in its turn."""
        async with self.place(request):
            return await run_in_threadpool(work, *args, **kwargs)


class Placed(Response):
    """An answer that holds a place in a line for as long as it is being sent."""

    def __init__(self, line: ConcurrencyLimit, request: Request, answer: Response) -> None:
        self.status_code = answer.status_code
        self.background = None
        self.raw_headers = answer.raw_headers
        self._line, self._request, self._answer = line, request, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or raise TooManyError before anything is sent."""
        still_in = scope["state"].get("still_in")
        if still_in is not None and isinstance(self._answer, EventSourceResponse):
            self._answer.body_iterator = while_let_in(self._answer.body_iterator, still_in)
        async with self._line.place(self._request):
            await self._answer(scope, receive, send)


def address_of(request: Request) -> str:
    """Return the client's address; all of an IPv6 network of 64 bits counts as one."""
    host = request.client.host if request.client else ""
    return network_of(host)


def network_of(host: str) -> str:
    """Return what one client can choose addresses from: its IPv4 address, or its IPv6 network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return host
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


@dataclass(slots=True)
class ConcurrencyLimits:
    """All lines of one server; together they use fewer threads and connections than there are."""

    reads: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit("reads", 4, 1000, 250))
    tables: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit("tables", 2, 500, 250))
    bundles: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit("bundles", 1, 15, 4))
    downloads: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit("downloads", 32, 0, 8))
    streams: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit("live streams", 400, 0, 100))
    writes: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit("writes", 8, 100, 50))
    # They wait for strangers, and must hold up no writes.
    webhook_tests: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit("webhook tests", 2, 10, 3))

    @classmethod
    def of(cls, streams_per_address: int) -> ConcurrencyLimits:
        """Return the lines of a server, of which one client may have so many live streams."""
        return cls(streams=ConcurrencyLimit("live streams", 400, 0, streams_per_address))

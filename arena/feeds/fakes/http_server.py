"""The base of fake venues that are polled by HTTP on 127.0.0.1, with the faults that a poller must survive.

A subclass makes the responses; this base has the sockets and the faults.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import orjson

_Query = Mapping[str, str]

_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class FakeResponse:
    """Status, JSON value or bytes, and further headers."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, bytes]:
        """Return head and body as bytes."""
        body = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        headers = {
            "Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close",
            **self.headers,
        }  # fmt: skip
        lines = [f"HTTP/1.1 {self.status} {'OK' if self.status < 400 else 'Refused'}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode(), body


class HttpFake:
    """One polled venue; use it as an asynchronous context manager.

    `mute` takes requests and never answers; `drip` above 0 sends bodies byte by byte with that many
    seconds between; `count` is the number of requests, `requests` the path and query of the last of them.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.mute = False
        self.drip = 0.0
        self.count = 0
        self.requests: list[tuple[str, _Query]] = []
        self._port = port
        self._replies: list[FakeResponse] = []
        self._cuts = 0
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The `base_url` for a connector."""
        return f"http://127.0.0.1:{self._port}"

    async def requested(self, count: int) -> None:
        """Wait until at least `count` requests have come."""
        await self.until(lambda: self.count >= count)

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until a condition holds after a request."""
        async with self._changed:
            await self._changed.wait_for(happened)

    def reply(self, status: int, body: Any, headers: Mapping[str, str] | None = None, *, times: int = 1) -> None:
        """Answer the next requests with this, valid or not: a JSON value, or bytes as they are."""
        self._replies += [FakeResponse(status, body, headers or {})] * times

    def cut(self, *, times: int = 1) -> None:
        """Drop the next connections in the middle of the body."""
        self._cuts += times

    def answer(self, path: str, query: _Query) -> FakeResponse:
        """Return the response to a GET."""
        raise NotImplementedError

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await self._respond(urlsplit(head.split(b" ", 2)[1].decode()), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whatever way the client left
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _respond(self, url: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        async with self._changed:
            self.count += 1
            self.requests.append((url.path, query))
            if len(self.requests) > 2 * _KEPT:
                del self.requests[:_KEPT]
            self._changed.notify_all()
        if self.mute:
            await reader.read()  # until the client gives up
            return
        reply = self._replies.pop(0) if self._replies else self.answer(url.path, query)
        head, body = reply.encoded()
        writer.write(head)
        if self._cuts:
            self._cuts -= 1
            writer.write(body[: len(body) // 2])
        else:
            await self._send(body, writer)
        await writer.drain()

    async def _send(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        if not self.drip:
            writer.write(body)
            return
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(self.drip)

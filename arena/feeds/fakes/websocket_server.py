"""The base of fake venues with WebSocket streams and REST on one port of 127.0.0.1."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

SessionT = TypeVar("SessionT")


class WebSocketFake(ABC, Generic[SessionT]):
    """One venue; use it as an asynchronous context manager.

    `attempts` counts the WebSocket handshakes that were requested, refused ones included. A subclass keeps
    what it knows of each open connection in `sessions`, and calls `changed` after each change that a test may
    wait for.
    """

    close_code = 1000  # of the venue's own close frames

    def __init__(self, *, port: int = 0, **options: Any) -> None:
        self.attempts = 0
        self.sessions: dict[ServerConnection, SessionT] = {}
        self._port = port
        self._options = options
        self._condition = asyncio.Condition()
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self._port,
            process_request=self._respond,
            close_timeout=1.0,
            **self._options,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The `ws_url` for a connector."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def rest_url(self) -> str:
        """The `base_url` for a connector."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self.sessions)

    async def connected(self, count: int) -> None:
        """Wait until exactly `count` connections are open."""
        await self.until(lambda: len(self.sessions) == count)

    async def attempted(self, count: int) -> None:
        """Wait until at least `count` handshakes have been requested, refused ones included."""
        await self.until(lambda: self.attempts >= count)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        async with self._condition:
            await self._condition.wait_for(condition)

    async def changed(self) -> None:
        """Wake those who wait for a condition."""
        async with self._condition:
            self._condition.notify_all()

    async def hang_up(self, code: int | None = None) -> None:
        """Close every connection with a close frame."""
        for connection in list(self.sessions):
            await connection.close(self.close_code if code is None else code)

    def cut(self) -> None:
        """Drop every connection in the middle of a frame."""
        for connection in list(self.sessions):
            # A text frame that announces 256 bytes and brings nine.
            with suppress(RuntimeError):  # the connection is closing already
                connection.transport.write(b'\x81\x7e\x01\x00{"type":"')
            connection.transport.close()

    @abstractmethod
    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return an HTTP response, or None to let the WebSocket handshake go on."""

    @abstractmethod
    async def _serve(self, connection: ServerConnection) -> None:
        """Serve one connection to its end."""


def http_response(status: int, body: object, retry_after: str | None = None, **headers: str) -> Response:
    """Return a JSON response, or one with the given bytes; underscores in header names become hyphens."""
    payload = body if isinstance(body, bytes) else orjson.dumps(body)
    found = Headers({
        "Content-Type": "application/json", "Content-Length": str(len(payload)), "Connection": "close",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    })  # fmt: skip
    if retry_after is not None:
        found["Retry-After"] = retry_after
    return Response(status, "Refused" if status >= 400 else "OK", found, payload)

"""One connection to Manifold's broadcasts: what we send is numbered, and has to be acknowledged in time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection


class LineError(Exception):
    """The connection is open and of no use; it says why in a sentence."""


class Line:
    """The client's side of one socket; `topics` are those that the venue has acknowledged."""

    def __init__(self, socket: ClientConnection, ack_timeout: float) -> None:
        self.topics: set[str] = set()
        self._socket = socket
        self._ack_timeout = ack_timeout
        self._sent = 0
        self._waiting: dict[int, asyncio.Future[str]] = {}

    async def receive(self) -> bytes:
        """Return the next payload; an acknowledgement reaches whoever waits for it as well."""
        payload = await self._socket.recv(decode=False)
        if b'"ack"' in payload:
            self._acknowledge(payload)
        return payload

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Ask for topics; LineError where they are refused, or nothing is said to it."""
        await self._ask({"type": "subscribe", "topics": topics})
        self.topics.update(topics)

    async def ping(self) -> None:
        """Show that we are here, and hear that the venue is."""
        await self._ask({"type": "ping"})

    async def _ask(self, message: dict[str, Any]) -> None:
        txid = self._sent
        self._sent += 1
        answer = self._waiting[txid] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._ack_timeout):
                await self._socket.send(orjson.dumps({**message, "txid": txid}), text=True)
                error = await answer
        except TimeoutError:
            raise LineError("Manifold's connection was open but silent; connecting again.") from None
        finally:
            del self._waiting[txid]
        if error:
            raise LineError(f"Manifold refused to {message['type']}: {error}.")

    def _acknowledge(self, payload: bytes) -> None:
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return
        if not isinstance(message, dict) or message.get("type") != "ack":
            return
        txid = message.get("txid")
        error = "" if message.get("success") is True else str(message.get("error") or "no reason given")[:80]
        # What could not be read is acknowledged without a number: then it may be any of ours.
        asked = [txid] if type(txid) is int else list(self._waiting) if error else []
        for number in asked:
            answer = self._waiting.get(number)
            if answer is not None and not answer.done():
                answer.set_result(error.rstrip("."))

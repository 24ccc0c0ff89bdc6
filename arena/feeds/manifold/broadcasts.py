"""A WebSocket connection to Manifold's broadcasts, whose messages are numbered and acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection


class BroadcastError(Exception):
    """The connection is open but of no use; the message is a sentence for the user."""


class BroadcastConnection:
    """The client's side of one connection; `topics` are those that the venue has acknowledged."""

    def __init__(self, socket: ClientConnection, ack_timeout: float) -> None:
        self.topics: set[str] = set()
        self._socket = socket
        self._ack_timeout = ack_timeout
        self._sent = 0
        self._unacknowledged: dict[int, asyncio.Future[str]] = {}

    async def receive(self) -> bytes:
        """Return the next payload; an acknowledgement also completes the request that waits for it."""
        payload = await self._socket.recv(decode=False)
        if b'"ack"' in payload:
            self._acknowledge(payload)
        return payload

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Subscribe to topics; BroadcastError where they are refused or not acknowledged in time."""
        await self._request({"type": "subscribe", "topics": topics})
        self.topics.update(topics)

    async def ping(self) -> None:
        """Keep the connection alive; BroadcastError where the venue does not acknowledge in time."""
        await self._request({"type": "ping"})

    async def _request(self, message: dict[str, Any]) -> None:
        txid = self._sent
        self._sent += 1
        answer = self._unacknowledged[txid] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._ack_timeout):
                await self._socket.send(orjson.dumps({**message, "txid": txid}), text=True)
                error = await answer
        except TimeoutError:
            raise BroadcastError("Manifold's connection was open but silent; connecting again.") from None
        finally:
            del self._unacknowledged[txid]
        if error:
            raise BroadcastError(f"Manifold refused to {message['type']}: {error}.")

    def _acknowledge(self, payload: bytes) -> None:
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return
        if not isinstance(message, dict) or message.get("type") != "ack":
            return
        txid = message.get("txid")
        error = "" if message.get("success") is True else str(message.get("error") or "no reason given")[:80]
        # A message that the venue could not read is refused without a number, so it may be any of ours.
        acknowledged = [txid] if type(txid) is int else list(self._unacknowledged) if error else []
        for number in acknowledged:
            answer = self._unacknowledged.get(number)
            if answer is not None and not answer.done():
                answer.set_result(error.rstrip("."))

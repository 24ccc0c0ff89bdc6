"""Tells everyone who listens what has been recorded; a slow listener loses events, never the clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

_QUEUE = 256


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: tick, trade, leaderboard, submission or status."""

    kind: str
    data: dict[str, Any]


class Broadcast:
    """Carries events from the engine's thread to listeners on event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[Event | None], asyncio.AbstractEventLoop] = {}
        self._closed = False

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Hand an event to every listener; callable from any thread."""
        event = Event(kind, data)
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_offer, queue, event)

    async def listen(self) -> AsyncIterator[Event]:
        """Yield events from now on until the broadcast closes."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_QUEUE)
        with self._lock:
            if self._closed:
                return
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def close(self) -> None:
        """End every listener's stream."""
        with self._lock:
            self._closed = True
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_offer, queue, None)


def _offer(queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)

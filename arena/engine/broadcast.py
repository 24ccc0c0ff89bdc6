"""Tells everyone who listens what has been recorded; a slow listener loses events, never the clock."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
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
            _hand_over(loop, queue, event)

    @contextlib.contextmanager
    def listening(self) -> Iterator[AsyncIterator[Event]]:
        """Listen from this moment on, on the running event loop; ends when the broadcast closes."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_QUEUE)
        with self._lock:
            if self._closed:
                queue.put_nowait(None)
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield _events(queue)
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def close(self) -> None:
        """End every listener's stream."""
        with self._lock:
            self._closed = True
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            _hand_over(loop, queue, None)


async def _events(queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
    while (event := await queue.get()) is not None:
        yield event


def _hand_over(loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    # A loop that closes just now has nobody left who listens.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_offer, queue, event)


def _offer(queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)

"""Tells everyone who listens what has been recorded; a slow listener loses events, never the clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_QUEUE = 256


@dataclass(frozen=True)
class Event:
    """One thing that happened: tick, trade, leaderboard, submission or status."""

    kind: str
    data: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """Return the data as JSON, encoded once for all who listen."""
        return json.dumps(self.data)


_Queue = asyncio.Queue[Event | None]


class Broadcast:
    """Carries events from the engine's thread to listeners on event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[_Queue, asyncio.AbstractEventLoop] = {}
        self._closed = False

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Hand an event to every listener; callable from any thread."""
        event = Event(kind, data)
        # One hand-over a loop, however many listen there: the clock publishes from its own thread.
        for loop, queues in self._by_loop().items():
            _hand_over(loop, queues, event)

    def _by_loop(self) -> dict[asyncio.AbstractEventLoop, list[_Queue]]:
        found: dict[asyncio.AbstractEventLoop, list[_Queue]] = {}
        with self._lock:
            for queue, loop in self._listeners.items():
                found.setdefault(loop, []).append(queue)
        return found

    @contextlib.contextmanager
    def listening(self) -> Iterator[AsyncIterator[Event]]:
        """Listen from this moment on, on the running event loop; ends when the broadcast closes."""
        queue: _Queue = asyncio.Queue(_QUEUE)
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
        for loop, queues in self._by_loop().items():
            _hand_over(loop, queues, None)


async def _events(queue: _Queue) -> AsyncIterator[Event]:
    while (event := await queue.get()) is not None:
        yield event


def _hand_over(loop: asyncio.AbstractEventLoop, queues: list[_Queue], event: Event | None) -> None:
    # A loop that closes just now has nobody left who listens.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_offer, queues, event)


def _offer(queues: list[_Queue], event: Event | None) -> None:
    for queue in queues:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(event)

"""Tells everyone who listens what has been recorded; a slow listener loses events, never the clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_QUEUE = 256
KEPT = 200  # events that a listener who comes back is told; fewer than its queue holds


@dataclass(frozen=True)
class Event:
    """One thing that happened: tick, trade, leaderboard, submission or status; `id` is its place in the broadcast."""

    kind: str
    data: dict[str, Any]
    id: str = ""

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
        # Tells the ids of this broadcast from those of a server before.
        self._name = secrets.token_hex(4)
        self._count = 0
        self._kept: deque[Event] = deque(maxlen=KEPT)

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Hand an event to every listener; callable from any thread."""
        with self._lock:
            self._count += 1
            event = Event(kind, data, f"{self._name}-{self._count}")
            self._kept.append(event)
            by_loop = self._by_loop()
        # One hand-over a loop, however many listen there: the clock publishes from its own thread.
        for loop, queues in by_loop.items():
            _hand_over(loop, queues, event)

    def _by_loop(self) -> dict[asyncio.AbstractEventLoop, list[_Queue]]:
        """Return the listeners of each loop; called with the lock held."""
        found: dict[asyncio.AbstractEventLoop, list[_Queue]] = {}
        for queue, loop in self._listeners.items():
            found.setdefault(loop, []).append(queue)
        return found

    @property
    def last_id(self) -> str:
        """Return the id of the newest event."""
        with self._lock:
            return f"{self._name}-{self._count}"

    def _missed(self, last_id: str) -> list[Event] | None:
        """Return what came after an event, None where that is not known any more; called with the lock held."""
        name, _, number = last_id.rpartition("-")
        if name != self._name or not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        behind = self._count - int(number)
        if not 0 <= behind <= len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - behind :]

    @contextlib.contextmanager
    def listening(self) -> Iterator[AsyncIterator[Event]]:
        """Listen from this moment on, on the running event loop; ends when the broadcast closes."""
        with self.resuming("") as (stream, _, _):
            yield stream

    @contextlib.contextmanager
    def resuming(self, last_id: str) -> Iterator[tuple[AsyncIterator[Event], bool, str]]:
        """Listen from just after an event on; say whether nothing was lost since, else it is from this moment on.

        The third is the id of the newest event of this moment.
        """
        queue: _Queue = asyncio.Queue(_QUEUE)
        with self._lock:
            missed = self._missed(last_id) if last_id else None
            for event in missed or ():
                queue.put_nowait(event)
            if self._closed:
                queue.put_nowait(None)
            self._listeners[queue] = asyncio.get_running_loop()
            now = f"{self._name}-{self._count}"
        try:
            yield _events(queue), missed is not None, now
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def close(self) -> None:
        """End every listener's stream."""
        with self._lock:
            self._closed = True
            by_loop = self._by_loop()
        for loop, queues in by_loop.items():
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

"""Work that other threads hand to the engine's: it is done between two ticks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class CallQueue:
    """A queue of work with one worker, the engine's thread; `stop` ends all waiting."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue()
        self._stopping = threading.Event()
        self._closed = threading.Event()

    def hand_over(self, work: Callable[[], T]) -> Future[T]:
        """Have something done on the engine's thread; once that has ended it is done at once."""
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except Exception as error:  # noqa: BLE001 - handed to the caller, who waits for it
                    future.set_exception(error)

        if self._closed.is_set():
            run()
        else:
            self._queue.put(run)
        return future

    def serve(self, seconds: float) -> None:
        """Do one piece of work if there is any within so many seconds."""
        try:
            work = self._queue.get(timeout=seconds) if seconds > 0 else self._queue.get_nowait()
        except queue.Empty:
            return
        work()

    def serve_all(self) -> None:
        """Do all that waits."""
        while not self._queue.empty():
            self.serve(0.0)

    @property
    def waiting(self) -> bool:
        """Say whether there is anything to do."""
        return not self._queue.empty()

    def wait(self, seconds: float) -> bool:
        """Wait without serving; True where all is to end."""
        return self._stopping.wait(seconds)

    @property
    def stopping(self) -> bool:
        """Say whether the engine is to end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask the engine to end after the tick it is in; callable from any thread."""
        self._stopping.set()
        self._queue.put(lambda: None)

    def close(self) -> None:
        """Do the rest; what comes later is done by whoever brings it."""
        self._closed.set()
        self.serve_all()

"""A queue that takes turns between authors, so that many submissions of one do not keep another waiting."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque


class FairQueue:
    """Submission ids by author; the author served least lately comes next."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, author: str, submission_id: str) -> None:
        """Add a submission behind the others of its author."""
        with self._changed:
            self._waiting.setdefault(author, deque()).append(submission_id)
            self._changed.notify()

    def get(self) -> str | None:
        """Wait for the next submission and return its id; None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            if self._closed:
                return None
            author, ids = self._waiting.popitem(last=False)
            submission_id = ids.popleft()
            if ids:
                # Behind everybody else who waits.
                self._waiting[author] = ids
            return submission_id

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Gate:
    """Lets threads pass while it is open; to shut it waits until nobody is inside."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = True
        self._inside = 0
        self._abandoned = False

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._abandoned)
            if self._abandoned:
                raise StoppingError
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def shut(self, patience: float) -> bool:
        """Keep others out and wait for those inside, so many seconds at most; say whether all have left."""
        with self._changed:
            self._open = False
            return self._changed.wait_for(lambda: not self._inside, patience)

    def open(self) -> None:
        """Let everybody pass again."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Turn away everybody who waits: the arena stops."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()


class StoppingError(Exception):
    """The arena stops while a submission waits; it is taken up at the next start."""

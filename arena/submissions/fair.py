"""A queue that takes turns between authors and keeps each model to so many submissions at once."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

Lane = tuple[str, int]
LaneOf = Callable[[str], Lane]


@dataclass(frozen=True, slots=True)
class _Item:
    submission_id: str
    author: str
    lane: str
    places: int


class FairQueue:
    """Submission ids by author; the author with the fewest under way comes next, then who was served least lately.

    A lane is a model's: what is taken from the queue holds a place in it until `leave`.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[_Item]] = OrderedDict()
        self._taken: dict[str, _Item] = {}
        self._inside: set[str] = set()
        self._in_lane: Counter[str] = Counter()
        self._at_work: Counter[str] = Counter()
        self._returning: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, author: str, submission_id: str, lane: Lane = ("", 1 << 30)) -> None:
        """Add a submission behind the others of its author."""
        with self._changed:
            self._waiting.setdefault(author, deque()).append(_Item(submission_id, author, *lane))
            self._changed.notify_all()

    def get(self) -> str | None:
        """Wait for the next submission whose lane has a place and return its id; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                item = self._next()
                if item is not None:
                    self._taken[item.submission_id] = item
                    self._step_in(item)
                    self._at_work[item.author] += 1
                    return item.submission_id
                self._changed.wait()
            return None

    def _next(self) -> _Item | None:
        """Take out what comes next, None where nothing may begin now."""
        for author in sorted(self._waiting, key=lambda name: self._at_work[name]):
            ids = self._waiting[author]
            item = next((item for item in ids if self._has_place(item)), None)
            if item is None:
                continue
            ids.remove(item)
            del self._waiting[author]
            if ids:
                # Behind everybody else who waits.
                self._waiting[author] = ids
            return item
        return None

    def _has_place(self, item: _Item) -> bool:
        # Who comes back for a repair goes before all who have not begun.
        return self._in_lane[item.lane] + self._returning[item.lane] < item.places

    def _step_in(self, item: _Item) -> None:
        self._inside.add(item.submission_id)
        self._in_lane[item.lane] += 1

    def leave(self, submission_id: str) -> None:
        """Give the place in the lane to another: the model is not needed now."""
        with self._changed:
            if submission_id in self._inside:
                self._inside.remove(submission_id)
                self._in_lane[self._taken[submission_id].lane] -= 1
                self._changed.notify_all()

    def enter(self, submission_id: str) -> None:
        """Wait for a place in the lane again; StoppingError once the queue is closed."""
        with self._changed:
            item = self._taken[submission_id]
            if submission_id in self._inside:
                return
            self._returning[item.lane] += 1
            try:
                self._changed.wait_for(lambda: self._closed or self._in_lane[item.lane] < item.places)
            finally:
                self._returning[item.lane] -= 1
            if self._closed:
                raise StoppingError
            self._step_in(item)

    def done(self, submission_id: str) -> None:
        """Forget a submission that has come to its end."""
        self.leave(submission_id)
        with self._changed:
            item = self._taken.pop(submission_id, None)
            if item is not None:
                self._at_work[item.author] -= 1
                if not self._at_work[item.author]:
                    del self._at_work[item.author]
                self._changed.notify_all()

    def withdraw(self, submission_id: str) -> bool:
        """Take a submission out that still waits; say whether it did."""
        with self._changed:
            for author, ids in self._waiting.items():
                found = next((item for item in ids if item.submission_id == submission_id), None)
                if found is not None:
                    ids.remove(found)
                    if not ids:
                        del self._waiting[author]
                    return True
        return False

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

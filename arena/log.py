"""The console: `HH:MM:SS [LEVEL] arena.part: message`, bots' lines cleaned and rate-limited."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from arena.core.text import clean_text

LINES_PER_SECOND = 20


class LastLines(logging.Handler):
    """Keeps the last lines for a screen that draws them itself."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=count)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line."""
        self.lines.append(self.format(record))


class CleanFormatter(logging.Formatter):
    """Takes out what a terminal would obey: file names and errors of strangers stand in log lines too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text of one or several lines."""
        return clean_text(super().format(record))


def set_up(level: str, handler: logging.Handler | None = None) -> None:
    """Send all logging to stderr, or to a handler of a screen's own, in the arena's form."""
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(CleanFormatter("%(asctime)s [%(levelname)s] %(name)s: %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("arena").setLevel(level.upper())
    logging.getLogger("sandbox").setLevel(level.upper())


@dataclass(slots=True)
class RateLimit:
    """Lets so many lines a second through and counts the rest."""

    per_second: int = LINES_PER_SECOND
    _window: int = 0
    _used: int = 0
    _dropped: dict[str, int] = field(default_factory=dict)

    def admit(self, key: str) -> int | None:
        """Return None to drop a line, else how many of this key were dropped before it."""
        second = int(time.monotonic())
        if second != self._window:
            self._window, self._used = second, 0
        if self._used >= self.per_second:
            self._dropped[key] = self._dropped.get(key, 0) + 1
            return None
        self._used += 1
        return self._dropped.pop(key, 0)

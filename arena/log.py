"""What the server says while it runs: lines for a person, or JSON for a program; bots' lines cleaned and rate-limited.

A line for a person is `HH:MM:SS [LEVEL] arena.part: message`. As JSON it is an object with `timestamp`, `level`,
`logger` and `event`, and where they are known `request_id`, `season`, `bot`, `tick` and `exception`.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from arena.core.text import clean_text

LINES_PER_SECOND = 20
HIDDEN = "***"
_FACTS = ("season", "bot", "tick")
_SHORTEST_SECRET = 6  # characters; a shorter one would hide parts of usual words
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

_process = os.urandom(4).hex()
_requests = itertools.count(1)
# What is true of every line of this process, which plays one season at a time.
_facts: dict[str, object] = {}
_request: ContextVar[str | None] = ContextVar("request", default=None)

EventDict = MutableMapping[str, Any]


class LastLines(logging.Handler):
    """Keeps the last lines for a screen that draws them itself; until it comes up, `echo` shows them.

    `unseen` are those that stand nowhere else once the screen is gone.
    """

    def __init__(self, count: int, echo: TextIO | None = None) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=count)
        self.unseen: deque[str] = deque(maxlen=count)
        self.echo = echo

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line."""
        line = self.format(record)
        self.lines.append(line)
        if self.echo is None:
            self.unseen.append(line)
        else:
            print(line, file=self.echo, flush=True)


# -- what a line is about


def name_season(number: int) -> None:
    """Say which season is played: every line as JSON names it from now on."""
    _facts["season"] = number


def begin_request(given: str | None) -> str:
    """Return the id of a request, which every line about it names: the one that a proxy gave it, or one of our own."""
    number = given if given and _REQUEST_ID.fullmatch(given) else f"{_process}-{next(_requests):x}"
    _request.set(number)
    return number


def request_id() -> str | None:
    """Return the id of the request that is being answered, None where none is."""
    return _request.get()


# -- how it is written


def _add_facts(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record = event["_record"]
    given = {name: value for name in _FACTS if (value := getattr(record, name, None)) is not None}
    request = _request.get()
    return {**event, **({} if request is None else {"request_id": request}), **_facts, **given}


def _clean(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Take out what a terminal would obey: file names and errors of strangers stand in log lines too."""
    return {name: clean_text(value) if isinstance(value, str) else value for name, value in event.items()}


class _Mask:
    """Writes *** for the secrets of this server, wherever one stands."""

    def __init__(self, found: Iterable[str]) -> None:
        # The longest first: one secret may be the beginning of another.
        known = sorted({one for one in found if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        pattern = self._pattern
        if pattern is None:
            return event
        return {name: pattern.sub(HIDDEN, value) if isinstance(value, str) else value for name, value in event.items()}


def _line(_logger: Any, _method: str, event: EventDict) -> str:
    """Write a line for a person; the bot and the season it names itself."""
    record: logging.LogRecord = event["_record"]
    clock = time.strftime("%H:%M:%S", time.localtime(record.created))
    about = f" (request {event['request_id']})" if "request_id" in event else ""
    trace = f"\n{event['exception']}" if "exception" in event else ""
    return f"{clock} [{record.levelname}] {record.name}: {event['event']}{about}{trace}"


def _object(_logger: Any, _method: str, event: EventDict) -> str:
    """Write a line for a program."""
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog")
    head = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    return orjson.dumps({**head, **event}, default=str).decode()


def formatter(form: str = "text", hide: Iterable[str] = ()) -> logging.Formatter:
    """Return what writes records as `text` or `json`, without the given secrets."""
    # Made here because it takes a while to import, and most commands write no log.
    from structlog.processors import format_exc_info
    from structlog.stdlib import ProcessorFormatter

    written = _object if form == "json" else _line
    return ProcessorFormatter(
        foreign_pre_chain=[_add_facts], processors=[format_exc_info, _clean, _Mask(hide), written]
    )


def set_up(level: str, handler: logging.Handler | None = None, *, form: str = "text", hide: Iterable[str] = ()) -> None:
    """Send all logging to stderr, or to a handler of a screen's own, in the arena's form and without secrets."""
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(form, hide))
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

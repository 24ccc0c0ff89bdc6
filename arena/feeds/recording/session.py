"""Who speaks in a recording: the feeds, by number, and what their parsers need to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from arena.errors import MarketDataError
from arena.feeds.recording.layout import VERSION, DamagedError


@dataclass(frozen=True, slots=True)
class RecordedFeed:
    """One feed of a recording; `options` are its settings that decide what its payloads mean, no secrets."""

    name: str
    symbols: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """One run of a recorder; of two feeds with one symbol the later one's prices count."""

    feeds: tuple[RecordedFeed, ...]
    opened_at: float

    def pack(self) -> bytes:
        """Return the payload of a SESSION block."""
        feeds = [{"name": f.name, "symbols": f.symbols, "options": dict(f.options)} for f in self.feeds]
        return orjson.dumps({"format": VERSION, "opened_at": self.opened_at, "feeds": feeds})


def read_session(payload: bytes) -> Session:
    """Return what a SESSION block says; DamagedError if it says nothing."""
    try:
        body = orjson.loads(payload)
        newer = body["format"] > VERSION
        feeds = [RecordedFeed(f["name"], tuple(f["symbols"]), f["options"]) for f in body["feeds"]]
        session = Session(tuple(feeds), float(body["opened_at"]))
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        raise DamagedError from None
    if newer:
        raise MarketDataError("The recording was written by a newer version of Arena; it takes that to read it.")
    return session

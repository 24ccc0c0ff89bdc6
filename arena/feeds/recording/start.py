"""Begins the recording of some configured feeds, for the command and for the server alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arena.config import Settings
from arena.feeds.base import LiveFeed
from arena.feeds.recording.session import RecordedFeed
from arena.feeds.recording.writer import Recording

# Addresses may hold a password, and nothing of them is needed to read a payload.
_UNTOLD = {"enabled", "base_url", "ws_url", "symbols"}


def start_recording(path: Path, feeds: Sequence[LiveFeed], settings: Settings, *, append: bool = False) -> Recording:
    """Return a recording whose `write` takes the frames of these feeds; MarketDataError if it cannot be opened."""
    return Recording(path, [_described(feed, settings) for feed in feeds], append=append)


def _described(feed: LiveFeed, settings: Settings) -> RecordedFeed:
    source = getattr(settings.data_sources, feed.name.partition(":")[0])
    return RecordedFeed(feed.name, tuple(feed.symbols), source.model_dump(mode="json", exclude=_UNTOLD))

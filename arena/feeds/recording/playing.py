"""Frames to prices: the venues' own parsers, and the same choice among prices as a live market's.

A price counts from the moment it was received, as it did live: a tick could not show it before. Its
effective time (the smaller of event and receive time) only decides which of two prices is the newer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from enum import StrEnum

from arena.errors import FeedError
from arena.feeds.base import Frame, FrameParser, Halt, PriceUpdate, Resolution
from arena.feeds.recording.session import RecordedFeed, Session

ParserFor = Callable[[RecordedFeed], FrameParser]


class Fate(StrEnum):
    """What becomes of a price: shown, or why not."""

    SHOWN = "shown"
    REFUSED = "not_positive"
    OVERTAKEN = "overtaken"
    OTHER_FEED = "other_feed"


class Playing:
    """One session on its way through its parsers; a restarted recorder began with fresh ones too.

    `problems` says in sentences which feeds cannot be read.
    """

    def __init__(self, session: Session, parser_for: ParserFor) -> None:
        self.problems: list[str] = []
        self._parsers: dict[str, FrameParser] = {}
        self._ranks = {feed.name: rank for rank, feed in enumerate(session.feeds)}
        self._owners = {symbol: feed.name for feed in session.feeds for symbol in feed.symbols}
        self._newest: dict[str, float] = {}
        for feed in session.feeds:
            try:
                self._parsers[feed.name] = parser_for(feed)
            except FeedError as error:
                self.problems.append(str(error))

    def reads(self, feed: str) -> bool:
        """Say whether a feed's frames can be read."""
        return feed in self._parsers

    def parse(self, frame: Frame) -> Iterator[PriceUpdate | Resolution | Halt]:
        """Yield what a frame says; nothing where its feed cannot be read."""
        if parser := self._parsers.get(frame.feed):
            yield from parser.parse(frame.payload, frame.receive_time)

    def fate(self, update: PriceUpdate) -> Fate:
        """Say whether a live market would have shown a price once it had arrived."""
        effective = min(update.event_time, update.receive_time)
        if not (math.isfinite(update.price) and update.price > 0.0 and math.isfinite(effective)):
            return Fate.REFUSED
        if not self._owns(update.feed, update.symbol):
            return Fate.OTHER_FEED
        if effective < self._newest.get(update.symbol, -math.inf):
            return Fate.OVERTAKEN
        self._newest[update.symbol] = effective
        return Fate.SHOWN

    def owns(self, halt: Halt) -> bool:
        """Say whether a live market would have heeded a halt: its feed sets the symbol's price."""
        return self._owners.get(halt.symbol) == halt.feed

    def _owns(self, feed: str, symbol: str) -> bool:
        owner = self._owners.setdefault(symbol, feed)
        if owner == feed:
            return True
        if self._ranks.get(feed, -1) < self._ranks.get(owner, -1):
            return False
        self._owners[symbol] = feed
        self._newest.pop(symbol, None)
        return True

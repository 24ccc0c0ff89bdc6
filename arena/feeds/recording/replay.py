"""Turns recorded frames into the prices that a live market would have shown.

A price counts from its receive time: a tick could not show it earlier. Its effective time, the earlier of event
and receive time, only decides which of two prices is newer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from enum import StrEnum

from arena.errors import FeedError
from arena.feeds.base import FrameParser, Halt, PriceUpdate, RawFrame, Resolution
from arena.feeds.ownership import SymbolOwners
from arena.feeds.recording.layout import RecordedFeed, RecordingSession

ParserFor = Callable[[RecordedFeed], FrameParser]


class PriceDecision(StrEnum):
    """Whether a price is shown, or why not; the values are the names of a report's counts."""

    SHOWN = "shown"
    REFUSED = "not_positive"
    OVERTAKEN = "overtaken"
    OTHER_FEED = "other_feed"


class SessionReplay:
    """Parses the frames of one session with fresh parsers, as a restarted recorder has.

    `problems` are sentences about feeds that cannot be read.
    """

    def __init__(self, session: RecordingSession, parser_for: ParserFor) -> None:
        self.problems: list[str] = []
        self._parsers: dict[str, FrameParser] = {}
        self._owners = SymbolOwners(session.feeds, self._take_over)
        self._newest: dict[str, float] = {}
        for feed in session.feeds:
            try:
                self._parsers[feed.name] = parser_for(feed)
            except FeedError as error:
                self.problems.append(str(error))

    def can_parse(self, feed: str) -> bool:
        """Return whether there is a parser for a feed's frames."""
        return feed in self._parsers

    def parse(self, frame: RawFrame) -> Iterator[PriceUpdate | Resolution | Halt]:
        """Yield the prices, resolutions and halts in a frame; nothing where its feed cannot be parsed."""
        if parser := self._parsers.get(frame.feed):
            yield from parser.parse(frame.payload, frame.receive_time)

    def decide(self, update: PriceUpdate) -> PriceDecision:
        """Return whether a live market would have shown a price once it had arrived."""
        effective = min(update.event_time, update.receive_time)
        if not (math.isfinite(update.price) and update.price > 0.0 and math.isfinite(effective)):
            return PriceDecision.REFUSED
        if not self._owners.accepts(update.feed, update.symbol):
            return PriceDecision.OTHER_FEED
        if effective < self._newest.get(update.symbol, -math.inf):
            return PriceDecision.OVERTAKEN
        self._newest[update.symbol] = effective
        return PriceDecision.SHOWN

    def _take_over(self, symbol: str, former: str, new: str) -> None:
        """Forget the newest price of a symbol's former feed."""
        del former, new
        self._newest.pop(symbol, None)

    def owns(self, halt: Halt) -> bool:
        """Return whether a live market would have applied a halt: its feed sets the symbol's price."""
        return self._owners.owner(halt.symbol) == halt.feed

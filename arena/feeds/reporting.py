"""What a feed reports about itself: its state, and payloads that it ignores."""

from __future__ import annotations

import logging
import time

from arena.feeds.base import FeedState, PriceSink

_BEST_FIRST = (FeedState.LIVE, FeedState.CONNECTING, FeedState.DOWN, FeedState.FAILED)
_LEVELS = {FeedState.DOWN: logging.WARNING, FeedState.FAILED: logging.ERROR}


class StateReporter:
    """Passes each change of a feed's state to the log and the sink, and repetitions to neither.

    A feed with several connections reports each as a `part`. Its state is then that of its best part, with
    the sentences of all. FAILED is left to the caller that ends the feed.
    """

    def __init__(self, sink: PriceSink, feed: str, log: logging.Logger) -> None:
        self._sink = sink
        self._feed = feed
        self._log = log
        self._parts: dict[str, tuple[FeedState, str]] = {}

    def report(self, state: FeedState, detail: str, part: str = "") -> None:
        """Report a state; `detail` is a sentence for the user."""
        if self._parts.get(part) == (state, detail):
            return
        self._parts[part] = (state, detail)
        self._log.log(_LEVELS.get(state, logging.INFO), "%s", detail)
        best = min((each for each, _ in self._parts.values()), key=_BEST_FIRST.index)
        if best is not FeedState.FAILED:
            self._sink.on_state(self._feed, best, " ".join(sentence for _, sentence in self._parts.values()))


class IgnoredPayloadLog:
    """Warns about payloads that cannot be read, at most once in `every` seconds."""

    def __init__(self, log: logging.Logger, every: float) -> None:
        self._log = log
        self._every = every
        self._next = 0.0

    def warn(self, message: str, *args: object) -> None:
        """Log a warning unless the last one is too recent."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every
            self._log.warning(message, *args)

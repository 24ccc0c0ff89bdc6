"""What is said of a feed that has two ways to its venue: broadcasts, and asking.

It is live while either serves. The loss of the broadcasts is said at once; once asking is seen to serve
in their place, further attempts to get them back are only logged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from arena.feeds.base import FeedState, PriceSink
from arena.feeds.manifold.market import FEED

log = logging.getLogger("arena.feeds.manifold")


class Condition:
    """Says each change to the sink once; `left_out` are the markets to be named in it, and why."""

    def __init__(self, sink: PriceSink, left_out: Mapping[str, str], poll_seconds: float) -> None:
        self.broadcasts = False
        self._asking = False
        self._sink = sink
        self._left_out = left_out
        self._poll_seconds = poll_seconds
        self._said: tuple[FeedState, str] | None = None

    def connecting(self, host: str) -> None:
        """Say that the venue is being looked for."""
        self._say(FeedState.CONNECTING, f"Connecting to {host}.")

    def answered(self) -> None:
        """Note that everything asked was answered."""
        self._asking = True
        self._say_live()

    def unanswered(self, sentence: str) -> None:
        """Note that something asked was not answered."""
        self._asking = False
        if self.broadcasts:
            log.warning("%s Manifold's broadcasts go on.", sentence)
        else:
            self._say(FeedState.DOWN, sentence)

    def connected(self) -> None:
        """Note that the broadcasts have been subscribed."""
        self.broadcasts = True
        self._say_live()

    def disconnected(self, sentence: str) -> None:
        """Note that there are no broadcasts, or still none."""
        if self._asking and not self.broadcasts:
            log.info("%s", sentence)
            return
        self.broadcasts = self._asking = False
        self._say(FeedState.DOWN, sentence)

    def _say_live(self) -> None:
        sentence = (
            "Receiving probabilities from Manifold."
            if self.broadcasts
            else f"Asking Manifold for probabilities every {self._poll_seconds:g} s, without broadcasts."
        )
        named = [f" Left out: {name} ({why})." for name, why in sorted(self._left_out.items())]
        self._say(FeedState.LIVE, sentence + "".join(named))

    def _say(self, state: FeedState, detail: str) -> None:
        if self._said != (state, detail):
            self._said = (state, detail)
            log.log(logging.WARNING if state is FeedState.DOWN else logging.INFO, "%s", detail)
            self._sink.on_state(FEED, state, detail)

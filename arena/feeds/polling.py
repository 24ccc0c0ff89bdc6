"""The base of feeds that ask a venue again and again."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Container, Iterable, Sequence

from arena.feeds.base import FeedState, PriceSink
from arena.feeds.reporting import StateReporter
from arena.feeds.retry import ConnectFailure, PollFailedError, backoff_delay


class PolledFeed(ABC):
    """Polls until cancelled; a failed poll is reported and repeated with growing delays.

    Delays in seconds: `first_delay` after the first failure, doubled up to `max_delay`. `counts` has
    failures and missing; a subclass adds its own kinds.
    """

    def __init__(
        self, name: str, symbols: Sequence[str], log: logging.Logger, *, first_delay: float, max_delay: float
    ) -> None:
        self.name = name
        self.symbols: Sequence[str] = symbols
        self.counts: Counter[str] = Counter()
        self._log = log
        self._first_delay = first_delay
        self._max_delay = max_delay
        self._failures = 0
        self._missing: dict[str, None] = {}
        self._reporter: StateReporter | None = None

    @abstractmethod
    async def _poll(self, sink: PriceSink) -> float:
        """Poll once if it is due and return the seconds until the next call; raise PollFailedError without a price."""

    async def _poll_forever(self, sink: PriceSink, connecting: str) -> None:
        """Poll until cancelled; `connecting` is the first sentence that is reported."""
        self._reporter = StateReporter(sink, self.name, self._log)
        self._report(FeedState.CONNECTING, connecting)
        while True:
            try:
                delay = await self._poll(sink)
                self._failures = 0
            except PollFailedError as error:
                delay = self._delay_after(error.failure)
            await asyncio.sleep(delay)

    def _delay_after(self, failure: ConnectFailure) -> float:
        self.counts["failures"] += 1
        self._report(FeedState.DOWN, failure.message)
        delay = backoff_delay(self._failures, self._first_delay, self._longest_delay())
        self._failures += 1
        return max(delay, failure.retry_after)

    def _longest_delay(self) -> float:
        """Return the longest delay between two failed polls."""
        return self._max_delay

    def _report(self, state: FeedState, detail: str) -> None:
        assert self._reporter is not None
        self._reporter.report(state, detail)

    def _note_missing(self, asked: Iterable[str], found: Container[str]) -> list[str]:
        """Remember the symbols without an answer, and return those that had one before."""
        new = []
        for symbol in asked:
            if symbol in found:
                self._missing.pop(symbol, None)
            elif symbol not in self._missing:
                self._missing[symbol] = None
                self.counts["missing"] += 1
                new.append(symbol)
        return new

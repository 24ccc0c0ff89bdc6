"""Live prices from any exchange that the package ccxt knows, polled.

Rules kept here: one poll at a time, each begun `poll_seconds` after the one before at the earliest, as
fast as ccxt's own rate limiter lets it; a setback is said and tried again with growing pauses; a
symbol that the exchange leaves out is named once; only a last trade's price counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

from arena.errors import FeedError
from arena.feeds.base import FeedState, Frame, Pace, PriceSink
from arena.feeds.ccxt.exchange import CcxtExchange, StumbleError, Timing
from arena.feeds.ccxt.wire import CcxtParser, frame_of
from arena.feeds.dialling import Setback, back_off

log = logging.getLogger("arena.feeds.ccxt")


class CcxtFeed:
    """Last prices of some markets of one exchange, by ccxt's names of both.

    `counts` says what was asked and what came: polls, failures, missing, and the parser's kinds.
    """

    def __init__(
        self,
        exchange: str,
        symbols: Sequence[str],
        poll_seconds: float = 2.0,
        *,
        base_url: str = "",
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = f"ccxt:{exchange}"
        self.symbols: Sequence[str] = tuple(dict.fromkeys(symbol.strip() for symbol in symbols))
        if not self.symbols:
            raise FeedError(f"The feed {self.name} needs at least one symbol.")
        self.counts: Counter[str] = Counter()
        self._timing = timing or Timing()
        self._exchange = CcxtExchange(exchange, base_url, self._timing)
        self._poll_seconds = poll_seconds
        self._interval = poll_seconds
        self._clock = clock
        self._parser = CcxtParser(self.name, self.symbols, self.counts)
        self._missing: frozenset[str] = frozenset()
        self._failures = 0
        self._said: tuple[FeedState, str] | None = None

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError where asking again cannot help."""
        self._say(sink, FeedState.CONNECTING, f"Asking {self._exchange.id} for its markets.")
        try:
            while True:
                delay = await self._step(sink)
                await asyncio.sleep(delay)
        finally:
            await self._exchange.close()

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether a price comes within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                tickers = await self._exchange.tickers(self.symbols)
        except (TimeoutError, StumbleError, FeedError) as error:
            log.debug("No answer: %s", error)
            return False
        finally:
            await self._exchange.close()
        return bool(CcxtParser(self.name, self.symbols).parse(frame_of(tickers), self._clock()))

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the seconds between two polls, or what one takes if that is longer; these markets never close."""
        del symbol, now
        return Pace(self._interval)

    async def _step(self, sink: PriceSink) -> float:
        """Poll once, and return how long to wait before the next time."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            await self._poll(sink)
        except StumbleError as stumble:
            return self._failed(stumble.setback, sink)
        took = loop.time() - started
        self._failures = 0
        self._interval = max(self._poll_seconds, took)
        return max(0.0, self._poll_seconds - took)

    async def _poll(self, sink: PriceSink) -> None:
        """Pass on what the exchange says; raise StumbleError where that is no price."""
        self.counts["polls"] += 1
        payload = frame_of(await self._exchange.tickers(self.symbols))
        frame = Frame(self.name, round(self._clock() * 1e9), payload)
        sink.on_frame(frame)
        found = self._parser.parse(payload, frame.receive_time)
        for update in found:
            sink.on_price(update)
        if not found:
            raise StumbleError(Setback(f"{self._exchange.id} gave no price for any symbol; asking again."))
        self._note_missing(frozenset(self.symbols) - {update.symbol for update in found})
        silent = f" It gives none for {', '.join(sorted(self._missing))}." if self._missing else ""
        self._say(sink, FeedState.LIVE, f"Receiving prices from {self._exchange.id}.{silent}")

    def _note_missing(self, missing: frozenset[str]) -> None:
        """Name each symbol without a price, once."""
        for symbol in sorted(missing - self._missing):
            self.counts["missing"] += 1
            log.warning("%s gives no last price of %s", self._exchange.id, symbol)
        self._missing = missing

    def _failed(self, setback: Setback, sink: PriceSink) -> float:
        """Say what went wrong, and return how long to wait."""
        self.counts["failures"] += 1
        self._say(sink, FeedState.DOWN, setback.sentence)
        self._failures += 1
        delay = back_off(self._failures - 1, self._timing.first_delay, self._timing.max_delay)
        return max(delay, setback.stay_away)

    def _say(self, sink: PriceSink, state: FeedState, detail: str) -> None:
        if self._said == (state, detail):
            return
        self._said = (state, detail)
        log.log(logging.WARNING if state is FeedState.DOWN else logging.INFO, "%s", detail)
        sink.on_state(self.name, state, detail)

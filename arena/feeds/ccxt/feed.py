"""Live prices from any exchange that the package ccxt supports, polled.

One poll runs at a time and begins at least `poll_seconds` after the last, or later where ccxt's rate limiter
takes longer. A symbol that the exchange leaves out is named once. Only the price of the last trade counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from arena.errors import FeedError
from arena.feeds.base import FeedState, Pace, PriceSink, RawFrame
from arena.feeds.ccxt.exchange import CcxtExchange, CcxtTiming
from arena.feeds.ccxt.parser import CcxtParser, frame_of
from arena.feeds.polling import PolledFeed
from arena.feeds.retry import ConnectFailure, PollFailedError

log = logging.getLogger("arena.feeds.ccxt")


class CcxtFeed(PolledFeed):
    """Last prices of some markets of one exchange, by ccxt's names of both.

    `counts` are polls, failures, missing, and the parser's kinds.
    """

    def __init__(
        self,
        exchange: str,
        symbols: Sequence[str],
        poll_seconds: float = 2.0,
        *,
        base_url: str = "",
        timing: CcxtTiming | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        timing = timing or CcxtTiming()
        super().__init__(
            f"ccxt:{exchange}",
            tuple(dict.fromkeys(symbol.strip() for symbol in symbols)),
            log,
            first_delay=timing.first_delay,
            max_delay=timing.max_delay,
        )
        if not self.symbols:
            raise FeedError(f"The feed {self.name} needs at least one symbol.")
        self._exchange = CcxtExchange(exchange, base_url, timing)
        self._poll_seconds = poll_seconds
        self._interval = poll_seconds
        self._clock = clock
        self._parser = CcxtParser(self.name, self.symbols, self.counts)

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError where asking again cannot help."""
        try:
            await self._poll_forever(sink, f"Asking {self._exchange.id} for its markets.")
        finally:
            await self._exchange.close()

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether a price arrives within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                tickers = await self._exchange.tickers(self.symbols)
        except (TimeoutError, PollFailedError, FeedError) as error:
            log.debug("No answer: %s", error)
            return False
        finally:
            await self._exchange.close()
        return bool(CcxtParser(self.name, self.symbols).parse(frame_of(tickers), self._clock()))

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the interval between two polls, or how long one takes if longer; these markets never close."""
        del symbol, now
        return Pace(self._interval)

    async def _poll(self, sink: PriceSink) -> float:
        """Poll once and return the rest of the interval."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.counts["polls"] += 1
        payload = frame_of(await self._exchange.tickers(self.symbols))
        frame = RawFrame(self.name, round(self._clock() * 1e9), payload)
        sink.on_frame(frame)
        found = self._parser.parse(frame.payload, frame.receive_time)
        for update in found:
            sink.on_price(update)
        if not found:
            raise PollFailedError(ConnectFailure(f"{self._exchange.id} gave no price for any symbol; asking again."))
        for symbol in sorted(self._note_missing(self.symbols, {update.symbol for update in found})):
            log.warning("%s gives no last price of %s", self._exchange.id, symbol)
        missing = f" It gives none for {', '.join(sorted(self._missing))}." if self._missing else ""
        self._report(FeedState.LIVE, f"Receiving prices from {self._exchange.id}.{missing}")
        took = loop.time() - started
        self._interval = max(self._poll_seconds, took)
        return max(0.0, self._poll_seconds - took)

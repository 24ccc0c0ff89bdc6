"""Live prices from StockData.org, polled within the plan's daily request budget.

- Symbols are requested in groups no larger than the plan allows. The requests of a UTC day are spread over
  the rest of the New York session; they never exceed the setting, the venue's own count, or the usage kept
  across restarts.
- While the market is closed nothing is requested, except for one price of each symbol at the start.
- The token appears in no log, state, error or recorded payload.
- Nothing that arrives can end the feed, except a refusal that will not change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arena.errors import FeedError
from arena.feeds.base import DailyUsage, FeedState, Pace, PriceSink, PriceUpdate, RawFrame
from arena.feeds.http import base_url_of
from arena.feeds.polling import PolledFeed
from arena.feeds.retry import ConnectFailure, PollFailedError
from arena.feeds.stockdata.budget import EXTENDED, REGULAR, Hours, MemoryUsage, RequestBudget, us_session_open
from arena.feeds.stockdata.parser import FATAL, USED_UP, StockDataParser, quotes_of, status_failure, tickers_of
from arena.feeds.stockdata.rest import QuoteResponse, StockDataRest

log = logging.getLogger("arena.feeds.stockdata")

BASE_URL = "https://api.stockdata.org"
_LIVE = "Receiving prices from StockData.org."
_CLOSED = "The New York exchanges are closed; StockData.org is asked again when they open."
_NO_PRICE = ConnectFailure("StockData.org gave no price for any symbol; asking again.")
_GARBLED = ConnectFailure("StockData.org gave an answer that makes no sense; asking again.")


@dataclass(frozen=True, slots=True)
class StockDataTiming:
    """Time limits and delays, in seconds.

    `idle_delay` is the delay between two looks at the clock while nothing is to be requested. A response
    that `reachable` got is used by `run` for `early_response_life`.
    """

    connect_timeout: float = 10.0
    answer_timeout: float = 20.0
    first_delay: float = 1.0
    max_delay: float = 60.0
    rate_window: float = 60.0
    idle_delay: float = 15.0
    early_response_life: float = 60.0


class StockDataFeed(PolledFeed):
    """Quotes of some US stocks, at the time of their last trade.

    `counts` are requests, failures, missing, and the parser's kinds.
    """

    name = "stockdata"

    def __init__(
        self,
        symbols: Sequence[str],
        token: str,
        base_url: str = BASE_URL,
        *,
        poll_seconds: float = 10.0,
        daily_requests: int = 100,
        symbols_per_request: int = 3,
        hours: Hours = REGULAR,
        usage: DailyUsage | None = None,
        timing: StockDataTiming | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._timing = timing or StockDataTiming()
        super().__init__(
            self.name,
            _checked(symbols),
            log,
            first_delay=self._timing.first_delay,
            max_delay=self._timing.max_delay,
        )
        step = symbols_per_request
        self._groups = [tuple(self.symbols[n : n + step]) for n in range(0, len(self.symbols), step)]
        if len(self._groups) > daily_requests:
            raise FeedError(
                f"StockData.org: {len(self.symbols)} symbols take {len(self._groups)} requests each time, "
                f"more than the {daily_requests} of a day; list fewer symbols."
            )
        if not token:
            raise FeedError("StockData.org needs a token: set STOCKDATA_API_KEY.")
        self._base_url = base_url_of(base_url, "The address of StockData.org is wrong: it begins with https://.")
        self._token = token
        self._hours = hours
        self._budget = RequestBudget(daily_requests, len(self._groups), poll_seconds, hours, usage or MemoryUsage())
        self._clock = clock
        self._parser = StockDataParser(self.symbols, self.name, self.counts)
        self._early: tuple[QuoteResponse, float] | None = None
        self._interval = self._budget.interval(clock())
        self._priced = False
        self._rest: StockDataRest | None = None

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError on a refusal that will not change."""
        if self._early and self._clock() - self._early[1] > self._timing.early_response_life:
            self._early = None
        async with self._new_rest() as self._rest:
            await self._poll_forever(sink, f"Asking {self._base_url.host} for prices.")

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether a price arrives within `timeout` seconds; `run` uses the response too."""
        if not self._budget.rounds_left(self._clock()):
            return False
        try:
            async with asyncio.timeout(timeout), self._new_rest() as rest:
                response = await self._request(rest, self._groups[0])
        except (TimeoutError, PollFailedError, FeedError) as error:
            log.debug("No answer: %s", error)
            return False
        now = self._clock()
        self._early = (response, now)
        return response.status == 200 and bool(StockDataParser(self.symbols).parse(response.payload, now))

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the current polling interval, and whether New York trades."""
        del symbol
        return Pace(self._interval, us_session_open(now, self._hours))

    def _new_rest(self) -> StockDataRest:
        timing = self._timing
        return StockDataRest(
            self._base_url,
            self._token,
            extended_hours=self._hours == EXTENDED,
            timeout=timing.answer_timeout,
            connect_timeout=timing.connect_timeout,
        )

    async def _poll(self, sink: PriceSink) -> float:
        """Request all symbols if that is due, and return the delay until the next look."""
        now = self._clock()
        if self._priced and not us_session_open(now, self._hours):
            self._report(FeedState.LIVE, _CLOSED)
            return self._timing.idle_delay
        if not self._early and not self._budget.rounds_left(now):
            # The interval stays as it was, so that prices that are not renewed become stale.
            self._report(FeedState.DOWN, USED_UP)
            return self._timing.idle_delay
        await self._round(sink)
        self._interval = self._budget.interval(self._clock())
        return self._interval

    async def _round(self, sink: PriceSink) -> None:
        """Request every symbol once; raise PollFailedError where that brings no price."""
        priced = False
        for group in self._groups:
            response, received = await self._next_response(group)
            priced |= bool(self._take(response, received, group, sink))
        if not priced:
            raise PollFailedError(_NO_PRICE)
        self._priced = True
        unknown = f" It has no quotes of {', '.join(self._missing)}." if self._missing else ""
        self._report(FeedState.LIVE, _LIVE + unknown)

    async def _next_response(self, group: tuple[str, ...]) -> tuple[QuoteResponse, float]:
        """Return the response for a group and when it came; `reachable` may have got the first one."""
        if self._early and group == self._groups[0]:
            early, self._early = self._early, None
            return early
        assert self._rest is not None
        return await self._request(self._rest, group), self._clock()

    async def _request(self, rest: StockDataRest, group: tuple[str, ...]) -> QuoteResponse:
        """Make one request and count it; the venue may count one that failed after it was sent."""
        sent = True
        try:
            response = await rest.quotes(group)
        except PollFailedError as error:
            sent = error.sent
            raise
        finally:
            if sent:
                self.counts["requests"] += 1
                self._budget.spend(self._clock())
        remaining = 0 if response.status == 402 else response.remaining
        if remaining is not None:
            self._budget.correct(self._clock(), remaining)
        return response

    def _take(
        self, response: QuoteResponse, received: float, group: tuple[str, ...], sink: PriceSink
    ) -> list[PriceUpdate]:
        """Record a response and pass on its prices."""
        frame = RawFrame(self.name, round(received * 1e9), response.payload)
        sink.on_frame(frame)
        if sentence := FATAL.get(response.status):
            raise FeedError(sentence)
        if response.status != 200:
            raise PollFailedError(status_failure(response.status, self._timing.rate_window))
        found = self._parser.parse(response.payload, frame.receive_time)
        if isinstance(quotes_of(response.payload), str):
            raise PollFailedError(_GARBLED)
        for update in found:
            sink.on_price(update)
        for symbol in self._note_missing(group, tickers_of(response.payload)):
            log.warning(
                "StockData.org has no quote of %s, or the plan allows less than %d symbols a request",
                symbol,
                len(group),
            )
        return found

    def _longest_delay(self) -> float:
        """Return the polling interval where it is longer: the venue may count failed requests."""
        return max(self._max_delay, self._budget.interval(self._clock()))


def _checked(symbols: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().upper() for name in symbols))
    if not names:
        raise FeedError("StockData.org needs at least one symbol.")
    for name in names:
        if not name or "," in name or not name.isprintable() or " " in name:
            raise FeedError(f"StockData.org: {name!r} is no symbol.")
    return names

"""Live prices from StockData.org, asked for again and again within the plan's daily budget.

Rules kept here: symbols go out in groups no larger than the plan allows; the requests of a UTC day are
spread over what is left of the New York session and never exceed the setting, the venue's own count or
the book that outlives a restart; a closed market is not asked, but for one price at the start; the
token is in no log, state, error or recorded payload; nothing that arrives can end the feed but a
refusal that will not change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from arena.errors import FeedError
from arena.feeds.base import FeedState, Frame, Pace, PriceSink, PriceUpdate
from arena.feeds.dialling import Setback, back_off
from arena.feeds.stockdata.budget import EXTENDED, REGULAR, Budget, Hours, MemoryBook, UsageBook, us_session_open
from arena.feeds.stockdata.http import Answer, NoAnswerError, QuoteClient
from arena.feeds.stockdata.wire import FATAL, USED_UP, StockDataParser, quotes_of, setback_of, tickers_of

log = logging.getLogger("arena.feeds.stockdata")

BASE_URL = "https://api.stockdata.org"
_LIVE = "Receiving prices from StockData.org."
_CLOSED = "The New York exchanges are closed; StockData.org is asked again when they open."
_NO_PRICE = Setback("StockData.org gave no price for any symbol; asking again.")
_GARBLED = Setback("StockData.org gave an answer that makes no sense; asking again.")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the feed waits for what, in seconds.

    `nap` is the pause between two looks at the clock while nothing is to be asked.
    """

    connect_timeout: float = 10.0
    answer_timeout: float = 20.0
    first_delay: float = 1.0
    max_delay: float = 60.0
    rate_window: float = 60.0
    nap: float = 15.0
    early_answer_life: float = 60.0


class _Stumble(Exception):  # noqa: N818 - no error of the program
    """A round that came to nothing."""

    def __init__(self, setback: Setback) -> None:
        super().__init__(setback.sentence)
        self.setback = setback


class StockDataFeed:
    """Quotes of some US stocks, at the time of their last trade.

    `counts` says what was asked and what came: requests, failures, missing, and the parser's kinds.
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
        book: UsageBook | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.symbols: Sequence[str] = _checked(symbols)
        self.counts: Counter[str] = Counter()
        step = symbols_per_request
        self._groups = [tuple(self.symbols[n : n + step]) for n in range(0, len(self.symbols), step)]
        if len(self._groups) > daily_requests:
            raise FeedError(
                f"StockData.org: {len(self.symbols)} symbols take {len(self._groups)} requests each time, "
                f"more than the {daily_requests} of a day; list fewer symbols."
            )
        if not token:
            raise FeedError("StockData.org needs a token: set STOCKDATA_API_KEY.")
        self._url = _address(base_url)
        self._token = token
        self._hours = hours
        self._budget = Budget(daily_requests, len(self._groups), poll_seconds, hours, book or MemoryBook())
        self._timing = timing or Timing()
        self._clock = clock
        self._parser = StockDataParser(self.symbols, self.name, self.counts)
        self._early: tuple[Answer, float] | None = None
        self._interval = self._budget.interval(clock())
        self._failures = 0
        self._priced = False
        self._missing: dict[str, None] = {}
        self._said: tuple[FeedState, str] | None = None

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError on a refusal that will not change."""
        self._say(sink, FeedState.CONNECTING, f"Asking {self._url.host} for prices.")
        if self._early and self._clock() - self._early[1] > self._timing.early_answer_life:
            self._early = None
        async with self._client() as client:
            while True:
                delay = await self._step(client, sink)
                await asyncio.sleep(delay)

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether a price comes within `timeout` seconds; the request serves `run` as well."""
        if not self._budget.rounds_left(self._clock()):
            return False
        try:
            async with asyncio.timeout(timeout), self._client() as client:
                answer = await self._ask(client, self._groups[0])
        except (TimeoutError, NoAnswerError, FeedError) as error:
            log.debug("No answer: %s", error)
            return False
        now = self._clock()
        self._early = (answer, now)
        return answer.status == 200 and bool(StockDataParser(self.symbols).parse(answer.payload, now))

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the present polling interval, and whether New York trades."""
        del symbol
        return Pace(self._interval, us_session_open(now, self._hours))

    def _client(self) -> QuoteClient:
        extended = "true" if self._hours == EXTENDED else "false"
        timing = self._timing
        return QuoteClient(
            self._url, self._token, extended=extended, connect=timing.connect_timeout, answer=timing.answer_timeout
        )

    async def _step(self, client: QuoteClient, sink: PriceSink) -> float:
        """Do what is due, and return how long to wait before looking again."""
        now = self._clock()
        if self._priced and not us_session_open(now, self._hours):
            self._say(sink, FeedState.LIVE, _CLOSED)
            return self._timing.nap
        if not self._early and not self._budget.rounds_left(now):
            # The interval stays as it was, so that prices that are not renewed become stale.
            self._say(sink, FeedState.DOWN, USED_UP)
            return self._timing.nap
        try:
            await self._round(client, sink)
        except _Stumble as stumble:
            return self._failed(stumble.setback, sink)
        self._failures = 0
        self._interval = self._budget.interval(self._clock())
        return self._interval

    async def _round(self, client: QuoteClient, sink: PriceSink) -> None:
        """Ask for every symbol once; raise _Stumble where that gives no price."""
        priced = False
        for group in self._groups:
            answer, moment = await self._answer(client, group)
            priced |= bool(self._take(answer, moment, group, sink))
        if not priced:
            raise _Stumble(_NO_PRICE)
        self._priced = True
        unknown = f" It has no quotes of {', '.join(self._missing)}." if self._missing else ""
        self._say(sink, FeedState.LIVE, _LIVE + unknown)

    async def _answer(self, client: QuoteClient, group: tuple[str, ...]) -> tuple[Answer, float]:
        """Return the answer for a group and when it came; the first one may be here already."""
        if self._early and group == self._groups[0]:
            early, self._early = self._early, None
            return early
        try:
            return await self._ask(client, group), self._clock()
        except NoAnswerError as error:
            raise _Stumble(Setback(str(error))) from error

    async def _ask(self, client: QuoteClient, group: tuple[str, ...]) -> Answer:
        """Make one request and enter it in the book."""
        counted = True
        try:
            answer = await client.ask(group)
        except NoAnswerError as error:
            counted = error.counted
            raise
        finally:
            if counted:
                self.counts["requests"] += 1
                self._budget.spend(self._clock())
        remaining = 0 if answer.status == 402 else answer.remaining
        if remaining is not None:
            self._budget.correct(self._clock(), remaining)
        return answer

    def _take(self, answer: Answer, moment: float, group: tuple[str, ...], sink: PriceSink) -> list[PriceUpdate]:
        """Pass on what an answer says."""
        frame = Frame(self.name, round(moment * 1e9), answer.payload)
        sink.on_frame(frame)
        if sentence := FATAL.get(answer.status):
            raise FeedError(sentence)
        if answer.status != 200:
            raise _Stumble(setback_of(answer.status, self._timing.rate_window))
        found = self._parser.parse(answer.payload, frame.receive_time)
        if isinstance(quotes_of(answer.payload), str):
            raise _Stumble(_GARBLED)
        for update in found:
            sink.on_price(update)
        self._note_missing(group, tickers_of(answer.payload))
        return found

    def _note_missing(self, group: tuple[str, ...], named: set[str]) -> None:
        """Name each symbol that the venue leaves out, once."""
        for symbol in group:
            if symbol in named:
                self._missing.pop(symbol, None)
            elif symbol not in self._missing:
                self._missing[symbol] = None
                self.counts["missing"] += 1
                log.warning(
                    "StockData.org has no quote of %s, or the plan allows less than %d symbols a request",
                    symbol,
                    len(group),
                )

    def _failed(self, setback: Setback, sink: PriceSink) -> float:
        """Say what went wrong, and return how long to wait."""
        self.counts["failures"] += 1
        self._say(sink, FeedState.DOWN, setback.sentence)
        self._failures += 1
        # Failed requests may be counted by the venue: the tries slow down to the usual interval.
        longest = max(self._timing.max_delay, self._budget.interval(self._clock()))
        return max(back_off(self._failures - 1, self._timing.first_delay, longest), setback.stay_away)

    def _say(self, sink: PriceSink, state: FeedState, detail: str) -> None:
        if self._said == (state, detail):
            return
        self._said = (state, detail)
        log.log(logging.WARNING if state is FeedState.DOWN else logging.INFO, "%s", detail)
        sink.on_state(self.name, state, detail)


def _checked(symbols: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().upper() for name in symbols))
    if not names:
        raise FeedError("StockData.org needs at least one symbol.")
    for name in names:
        if not name or "," in name or not name.isprintable() or " " in name:
            raise FeedError(f"StockData.org: {name!r} is no symbol.")
    return names


def _address(base_url: str) -> httpx2.URL:
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        url = httpx2.URL(base_url.rstrip("/") + "/v1/data/quote")
    except (ValueError, httpx2.InvalidURL) as error:
        raise FeedError(f"The address of StockData.org is wrong: {error}.") from error
    if not good:
        raise FeedError("The address of StockData.org is wrong: it begins with https://.")
    return url

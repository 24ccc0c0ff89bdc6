"""Live probabilities from Manifold's prediction markets; no key needed.

Rules kept here: markets are read by REST first, then their broadcasts are subscribed; what may have been
missed is read again by REST after every new connection; the probabilities are asked for every
`poll_seconds` as well, broadcasts or not; a connection that does not acknowledge is replaced; nothing that
arrives can end the feed, and a market that is not there leaves the others alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidURI

from arena.errors import FeedError
from arena.feeds.base import Frame, Pace, PriceSink, PriceUpdate
from arena.feeds.dialling import DIAL_ERRORS, Setback, back_off, dial, setback_of
from arena.feeds.manifold.condition import Condition
from arena.feeds.manifold.frames import ManifoldParser
from arena.feeds.manifold.line import Line, LineError
from arena.feeds.manifold.market import FEED, WHOLE, Market
from arena.feeds.manifold.names import entry_of
from arena.feeds.manifold.polling import Polling
from arena.feeds.manifold.rest import ManifoldRest, RefusalError

log = logging.getLogger("arena.feeds.manifold")

REST_URL = "https://api.manifold.markets"
WS_URL = "wss://api.manifold.markets/ws"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the feed waits for what, in seconds; the venue drops who has not pinged for a minute."""

    open_timeout: float = 10.0
    request_timeout: float = 10.0
    ack_timeout: float = 5.0
    ping_every: float = 30.0
    first_delay: float = 5.0
    max_delay: float = 60.0
    complaint_every: float = 60.0


class ManifoldFeed:
    """The probabilities of some markets, each given by its id, its slug or its page's address.

    `symbols` are what was given, until the markets have been read; then a multiple-choice market has
    one for each answer. `counts` are the parser's, and connections, pings and refusals.
    """

    name = FEED

    def __init__(
        self,
        markets: Sequence[str],
        poll_seconds: float = 60.0,
        base_url: str = REST_URL,
        ws_url: str = WS_URL,
        *,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._entries = [entry for entry in dict.fromkeys(map(entry_of, markets)) if entry.market]
        if not self._entries:
            raise FeedError("Manifold needs a market: an id, a slug, or the address of its page.")
        self._host = _host("base_url", base_url)
        _host("ws_url", ws_url)
        self.symbols: Sequence[str] = tuple(entry.symbol for entry in self._entries)
        self._parser = ManifoldParser(self._entries)
        self.counts = self._parser.counts
        self._poll_seconds = poll_seconds
        self._base_url, self._ws_url = base_url, ws_url
        self._timing = timing or Timing()
        self._clock = clock
        self._owners: dict[str, Market] = {}
        self._ask_now = asyncio.Event()
        self._missed = False
        self._next_complaint = 0.0

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError if the venue has none of the markets."""
        async with ManifoldRest(self._base_url, self._timing.request_timeout) as rest:
            polling = Polling(rest, self._parser, self._entries, lambda payload: self._take(payload, sink))
            condition = Condition(sink, polling.left_out, self._poll_seconds)
            condition.connecting(self._host)
            await self._find(polling, condition)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._poll(polling, condition), name="manifold, polling")
                    group.create_task(self._listen(polling, condition, sink), name="manifold, listening")
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether some market is told within `timeout` seconds."""
        parser = ManifoldParser(self._entries)
        try:
            async with asyncio.timeout(timeout), ManifoldRest(self._base_url, timeout) as rest:
                asked = [asyncio.create_task(rest.market(name)) for name in {e.market for e in self._entries}]
                try:
                    for answer in asyncio.as_completed(asked):
                        if await _is_news(answer, parser, self._clock()):
                            return True
                finally:
                    for task in asked:
                        task.cancel()
                    await asyncio.gather(*asked, return_exceptions=True)
        except (TimeoutError, FeedError) as error:
            log.debug("No answer from Manifold: %s", error)
        return False

    def pace(self, symbol: str, now: float) -> Pace:
        """Return how often a probability is asked for, and whether its market still takes bets."""
        market = self._owners.get(symbol)
        return Pace(self._poll_seconds, open=market is None or market.trades_at(now))

    # -- by REST ------------------------------------------------------------------------------------

    async def _find(self, polling: Polling, condition: Condition) -> None:
        """Ask until the venue has told some of the markets; the others are asked for again later."""
        failures = 0
        while True:
            setback = await polling.find()
            if self._parser.symbols:
                return self._asked(None, condition)
            if setback is None:
                raise FeedError(f"Manifold has none of the markets asked for: {', '.join(polling.left_out)}.")
            if setback.blocked:
                raise FeedError(setback.sentence)
            self._asked(setback, condition)
            await asyncio.sleep(self._pause(failures, setback))
            failures += 1

    async def _poll(self, polling: Polling, condition: Condition) -> NoReturn:
        failures, wait = 0, self._poll_seconds
        while True:
            await self._called(wait)
            setback = await polling.round()
            self._asked(setback, condition)
            failures = failures + 1 if setback else 0
            wait = max(self._poll_seconds, self._pause(failures - 1, setback) if setback else 0.0)

    async def _called(self, wait: float) -> None:
        """Wait for the next round, or for somebody to ask for it now."""
        try:
            async with asyncio.timeout(wait):
                await self._ask_now.wait()
        except TimeoutError:
            pass
        self._ask_now.clear()

    def _asked(self, setback: Setback | None, condition: Condition) -> None:
        if setback is None:
            condition.answered()
        else:
            self.counts["refusals"] += 1
            condition.unanswered(setback.sentence)

    # -- by socket ----------------------------------------------------------------------------------

    async def _listen(self, polling: Polling, condition: Condition, sink: PriceSink) -> NoReturn:
        failures = 0
        while True:
            before = self.counts["pings"]
            setback = await self._converse(polling, condition, sink)
            # A connection was of use if it lasted to the first ping.
            failures = 0 if self.counts["pings"] > before else failures + 1
            self._missed = True
            condition.disconnected(setback.sentence)
            await asyncio.sleep(self._pause(max(failures - 1, 0), setback))

    async def _converse(self, polling: Polling, condition: Condition, sink: PriceSink) -> Setback:
        """Open a connection, serve it to its end, and return why it ended."""
        try:
            async with dial(self._ws_url, self._timing.open_timeout) as socket:
                self.counts["connections"] += 1
                return await self._serve(Line(socket, self._timing.ack_timeout), polling, condition, sink)
        except InvalidURI:
            raise FeedError("The ws_url of Manifold is no address.") from None
        except DIAL_ERRORS as error:
            return setback_of(error, self._ws_url)

    async def _serve(self, line: Line, polling: Polling, condition: Condition, sink: PriceSink) -> Setback:
        # Not a task group: in Python 3.11 that can lose a cancellation which meets an error.
        tasks = [asyncio.create_task(work) for work in (self._read(line, sink), self._keep(line, polling, condition))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        return _end_of(ends)

    async def _read(self, line: Line, sink: PriceSink) -> NoReturn:
        while True:
            self._take(await line.receive(), sink)

    async def _keep(self, line: Line, polling: Polling, condition: Condition) -> NoReturn:
        """Subscribe what there is, have the gap filled that may lie before it, and ping."""
        while True:
            topics = [topic for market in self._parser.markets.values() for topic in _topics(market)]
            if fresh := [topic for topic in topics if topic not in line.topics]:
                await line.subscribe(fresh)
            if not condition.broadcasts:
                condition.connected()
                if self._missed:
                    polling.read_all_again()
                self._ask_now.set()
            await asyncio.sleep(self._timing.ping_every)
            await line.ping()
            self.counts["pings"] += 1

    # -- what arrives -------------------------------------------------------------------------------

    def _take(self, payload: bytes, sink: PriceSink) -> None:
        """Hand on a payload, then what it says."""
        frame = Frame(self.name, round(self._clock() * 1e9), payload)
        sink.on_frame(frame)
        wrong = self._wrong()
        for item in self._parser.parse(payload, frame.receive_time):
            if isinstance(item, PriceUpdate):
                sink.on_price(item)
            else:
                log.info("%s: %s", item.symbol, item.detail)
                sink.on_resolution(item)
        if self._wrong() > wrong:
            self._complain(payload)
        self._learn()

    def _wrong(self) -> int:
        return self.counts["garbled"] + self.counts["errors"]

    def _learn(self) -> None:
        symbols = self._parser.symbols
        if len(symbols) != len(self._owners):
            self.symbols = symbols
            self._owners = {symbol: market for market in self._parser.markets.values() for symbol in market.symbols}

    def _pause(self, failures: int, setback: Setback) -> float:
        delay = back_off(failures, self._timing.first_delay, self._timing.max_delay)
        return max(delay, setback.stay_away)

    def _complain(self, payload: bytes) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + self._timing.complaint_every
            log.warning("Manifold sent what makes no sense; it is ignored: %r", payload[:80])


def _end_of(ends: Sequence[BaseException]) -> Setback:
    """Return why a conversation ended; what is no end of a conversation is raised."""
    sentence = "Manifold closed the connection; connecting again."
    for end in ends:
        if isinstance(end, LineError):
            sentence = str(end)
        elif isinstance(end, ConnectionClosed):
            log.info("Manifold closed the connection: %s", end)
        elif not isinstance(end, asyncio.CancelledError):
            raise end
    return Setback(sentence)


def _topics(market: Market) -> list[str]:
    """Return what is broadcast of a market and its answers."""
    parts = ["", "/new-bet"] if WHOLE in market.answers else ["", "/new-bet", "/updated-answers", "/new-answer"]
    return [f"contract/{market.id}{part}" for part in parts]


def _host(name: str, url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise FeedError(f"The {name} of Manifold is no address.")
    return host


async def _is_news(answer: asyncio.Future[bytes | None], parser: ManifoldParser, now: float) -> bool:
    try:
        body = await answer
    except RefusalError:
        return False
    return body is not None and bool(parser.parse(body, now))

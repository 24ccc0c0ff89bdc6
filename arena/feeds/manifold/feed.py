"""Live probabilities from Manifold's prediction markets; no key needed.

- Markets are read by REST first, then their broadcasts are subscribed. After every new connection they are
  read again by REST, since broadcasts may have been missed.
- Probabilities are polled every `poll_seconds` too, with or without broadcasts. The feed is live while either
  of the two works.
- A connection that does not acknowledge is replaced. Nothing that arrives can end the feed, and a market that
  does not exist leaves the others alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidURI

from arena.errors import FeedError
from arena.feeds.base import FeedState, Pace, PriceSink, PriceUpdate, RawFrame
from arena.feeds.manifold.broadcasts import BroadcastConnection, BroadcastError
from arena.feeds.manifold.market import FEED, YES_NO, ManifoldMarket, parse_entry
from arena.feeds.manifold.parser import ManifoldParser
from arena.feeds.manifold.rest import ManifoldPoller, ManifoldRest
from arena.feeds.reporting import IgnoredPayloadLog, StateReporter
from arena.feeds.retry import ConnectFailure, PollFailedError, backoff_delay
from arena.feeds.websocket import CONNECT_ERRORS, connect_failure, open_websocket

log = logging.getLogger("arena.feeds.manifold")

REST_URL = "https://api.manifold.markets"
WS_URL = "wss://api.manifold.markets/ws"


@dataclass(frozen=True, slots=True)
class ManifoldTiming:
    """Time limits and delays, in seconds; the venue drops a client that has not pinged for a minute."""

    open_timeout: float = 10.0
    request_timeout: float = 10.0
    ack_timeout: float = 5.0
    ping_every: float = 30.0
    first_delay: float = 5.0
    max_delay: float = 60.0
    warning_interval: float = 60.0


class TwoWayReporter:
    """Reports a feed that is live while either broadcasts or polls work.

    The loss of broadcasts is reported at once; while polls work in their place, further failed attempts to
    connect are only logged. `left_out` are the markets to be named in the state, with the reason.
    """

    def __init__(self, sink: PriceSink, left_out: Mapping[str, str], poll_seconds: float) -> None:
        self.broadcasts = False
        self._polls = False
        self._reporter = StateReporter(sink, FEED, log)
        self._left_out = left_out
        self._poll_seconds = poll_seconds

    def connecting(self, host: str) -> None:
        """Report that the feed is connecting."""
        self._reporter.report(FeedState.CONNECTING, f"Connecting to {host}.")

    def polled(self) -> None:
        """Note that all requests of a round were answered."""
        self._polls = True
        self._report_live()

    def poll_failed(self, message: str) -> None:
        """Note that a request of a round failed."""
        self._polls = False
        if self.broadcasts:
            log.warning("%s Manifold's broadcasts go on.", message)
        else:
            self._reporter.report(FeedState.DOWN, message)

    def connected(self) -> None:
        """Note that the broadcasts are subscribed."""
        self.broadcasts = True
        self._report_live()

    def disconnected(self, message: str) -> None:
        """Note that there are no broadcasts."""
        if self._polls and not self.broadcasts:
            log.info("%s", message)
            return
        self.broadcasts = self._polls = False
        self._reporter.report(FeedState.DOWN, message)

    def _report_live(self) -> None:
        sentence = (
            "Receiving probabilities from Manifold."
            if self.broadcasts
            else f"Asking Manifold for probabilities every {self._poll_seconds:g} s, without broadcasts."
        )
        left_out = [f" Left out: {name} ({reason})." for name, reason in sorted(self._left_out.items())]
        self._reporter.report(FeedState.LIVE, sentence + "".join(left_out))


class ManifoldFeed:
    """The probabilities of some markets, each given by its id, its slug or its page's address.

    `symbols` are the configured entries until the markets have been read; then a multiple-choice market has
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
        timing: ManifoldTiming | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._entries = [entry for entry in dict.fromkeys(map(parse_entry, markets)) if entry.market]
        if not self._entries:
            raise FeedError("Manifold needs a market: an id, a slug, or the address of its page.")
        self._host = _host("base_url", base_url)
        _host("ws_url", ws_url)
        self.symbols: Sequence[str] = tuple(entry.symbol for entry in self._entries)
        self._parser = ManifoldParser(self._entries)
        self.counts = self._parser.counts
        self._poll_seconds = poll_seconds
        self._base_url, self._ws_url = base_url, ws_url
        self._timing = timing or ManifoldTiming()
        self._clock = clock
        self._markets: dict[str, ManifoldMarket] = {}
        self._poll_now = asyncio.Event()
        self._was_disconnected = False
        self._ignored = IgnoredPayloadLog(log, self._timing.warning_interval)

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError if the venue has none of the markets."""
        async with ManifoldRest(self._base_url, self._timing.request_timeout) as rest:
            poller = ManifoldPoller(rest, self._parser, self._entries, lambda payload: self._take(payload, sink))
            reporter = TwoWayReporter(sink, poller.left_out, self._poll_seconds)
            reporter.connecting(self._host)
            await self._read_first_pages(poller, reporter)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._poll_forever(poller, reporter), name="manifold, polling")
                    group.create_task(self._listen_forever(poller, reporter, sink), name="manifold, broadcasts")
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether the page of some market arrives within `timeout` seconds."""
        parser = ManifoldParser(self._entries)
        try:
            async with asyncio.timeout(timeout), ManifoldRest(self._base_url, timeout) as rest:
                requests = [asyncio.create_task(rest.market(name)) for name in {e.market for e in self._entries}]
                try:
                    for response in asyncio.as_completed(requests):
                        if await _has_news(response, parser, self._clock()):
                            return True
                finally:
                    for task in requests:
                        task.cancel()
                    await asyncio.gather(*requests, return_exceptions=True)
        except (TimeoutError, FeedError) as error:
            log.debug("No answer from Manifold: %s", error)
        return False

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the polling interval, and whether the symbol's market still takes bets."""
        market = self._markets.get(symbol)
        return Pace(self._poll_seconds, open=market is None or market.trades_at(now))

    # -- polling ------------------------------------------------------------------------------------

    async def _read_first_pages(self, poller: ManifoldPoller, reporter: TwoWayReporter) -> None:
        """Request pages until one market has been read; the others are requested again later."""
        failures = 0
        while True:
            failure = await poller.read_new_pages()
            if self._parser.symbols:
                return self._report_poll(None, reporter)
            if failure is None:
                raise FeedError(f"Manifold has none of the markets asked for: {', '.join(poller.left_out)}.")
            if failure.permanent:
                raise FeedError(failure.message)
            self._report_poll(failure, reporter)
            await asyncio.sleep(self._delay(failures, failure))
            failures += 1

    async def _poll_forever(self, poller: ManifoldPoller, reporter: TwoWayReporter) -> NoReturn:
        failures, wait = 0, self._poll_seconds
        while True:
            await self._wait_for_poll(wait)
            failure = await poller.poll()
            self._report_poll(failure, reporter)
            failures = failures + 1 if failure else 0
            wait = max(self._poll_seconds, self._delay(failures - 1, failure) if failure else 0.0)

    async def _wait_for_poll(self, wait: float) -> None:
        """Wait until the next round is due, or a new connection wants one at once."""
        try:
            async with asyncio.timeout(wait):
                await self._poll_now.wait()
        except TimeoutError:
            pass
        self._poll_now.clear()

    def _report_poll(self, failure: ConnectFailure | None, reporter: TwoWayReporter) -> None:
        if failure is None:
            reporter.polled()
        else:
            self.counts["refusals"] += 1
            reporter.poll_failed(failure.message)

    # -- broadcasts ---------------------------------------------------------------------------------

    async def _listen_forever(self, poller: ManifoldPoller, reporter: TwoWayReporter, sink: PriceSink) -> NoReturn:
        failures = 0
        while True:
            before = self.counts["pings"]
            failure = await self._connect_and_listen(poller, reporter, sink)
            # A connection that lasted to its first ping was a success.
            failures = 0 if self.counts["pings"] > before else failures + 1
            self._was_disconnected = True
            reporter.disconnected(failure.message)
            await asyncio.sleep(self._delay(max(failures - 1, 0), failure))

    async def _connect_and_listen(
        self, poller: ManifoldPoller, reporter: TwoWayReporter, sink: PriceSink
    ) -> ConnectFailure:
        """Open a connection, serve it to its end, and return why it ended."""
        try:
            async with open_websocket(self._ws_url, self._timing.open_timeout) as socket:
                self.counts["connections"] += 1
                connection = BroadcastConnection(socket, self._timing.ack_timeout)
                return await self._listen(connection, poller, reporter, sink)
        except InvalidURI:
            raise FeedError("The ws_url of Manifold is no address.") from None
        except CONNECT_ERRORS as error:
            return connect_failure(error, self._ws_url)

    async def _listen(
        self, connection: BroadcastConnection, poller: ManifoldPoller, reporter: TwoWayReporter, sink: PriceSink
    ) -> ConnectFailure:
        # Not a task group: in Python 3.11 that can lose a cancellation which meets an error.
        work = (self._read(connection, sink), self._keep_subscribed(connection, poller, reporter))
        tasks = [asyncio.create_task(each) for each in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        return _end_of_connection(ends)

    async def _read(self, connection: BroadcastConnection, sink: PriceSink) -> NoReturn:
        while True:
            self._take(await connection.receive(), sink)

    async def _keep_subscribed(
        self, connection: BroadcastConnection, poller: ManifoldPoller, reporter: TwoWayReporter
    ) -> NoReturn:
        """Subscribe to new topics, have missed broadcasts made up for by a poll, and ping."""
        while True:
            topics = [topic for market in self._parser.markets.values() for topic in _topics(market)]
            if new := [topic for topic in topics if topic not in connection.topics]:
                await connection.subscribe(new)
            if not reporter.broadcasts:
                reporter.connected()
                if self._was_disconnected:
                    poller.read_all_pages_again()
                self._poll_now.set()
            await asyncio.sleep(self._timing.ping_every)
            await connection.ping()
            self.counts["pings"] += 1

    # -- payloads -----------------------------------------------------------------------------------

    def _take(self, payload: bytes, sink: PriceSink) -> None:
        """Record a payload and pass on its prices and resolutions."""
        frame = RawFrame(self.name, round(self._clock() * 1e9), payload)
        sink.on_frame(frame)
        before = self._unreadable()
        for item in self._parser.parse(payload, frame.receive_time):
            if isinstance(item, PriceUpdate):
                sink.on_price(item)
            else:
                log.info("%s: %s", item.symbol, item.detail)
                sink.on_resolution(item)
        if self._unreadable() > before:
            self._ignored.warn("Manifold sent what makes no sense; it is ignored: %r", payload[:80])
        self._update_symbols()

    def _unreadable(self) -> int:
        return self.counts["garbled"] + self.counts["errors"]

    def _update_symbols(self) -> None:
        symbols = self._parser.symbols
        if len(symbols) != len(self._markets):
            self.symbols = symbols
            self._markets = {symbol: market for market in self._parser.markets.values() for symbol in market.symbols}

    def _delay(self, failures: int, failure: ConnectFailure) -> float:
        return max(backoff_delay(failures, self._timing.first_delay, self._timing.max_delay), failure.retry_after)


def _end_of_connection(ends: Sequence[BaseException]) -> ConnectFailure:
    """Return why a connection ended; any other error is raised."""
    message = "Manifold closed the connection; connecting again."
    for end in ends:
        if isinstance(end, BroadcastError):
            message = str(end)
        elif isinstance(end, ConnectionClosed):
            log.info("Manifold closed the connection: %s", end)
        elif not isinstance(end, asyncio.CancelledError):
            raise end
    return ConnectFailure(message)


def _topics(market: ManifoldMarket) -> list[str]:
    """Return the topics of a market and its answers."""
    parts = ["", "/new-bet"] if YES_NO in market.answers else ["", "/new-bet", "/updated-answers", "/new-answer"]
    return [f"contract/{market.id}{part}" for part in parts]


def _host(name: str, url: str) -> str:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        raise FeedError(f"The {name} of Manifold is no address.")
    return host


async def _has_news(response: asyncio.Future[bytes | None], parser: ManifoldParser, now: float) -> bool:
    try:
        body = await response
    except PollFailedError:
        return False
    return body is not None and bool(parser.parse(body, now))

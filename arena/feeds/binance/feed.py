"""Live prices from Binance Spot's public market streams; no key needed.

- One WebSocket connection has the streams of all symbols. It is replaced when it brings no price for a
  while, nears the venue's 24-hour limit, or the venue announces a shutdown; in the last two cases the old
  connection is read until the new one brings a price.
- Trades missed between two connections are requested by REST before the new connection is read, so that
  trades arrive in order. They never change a tick that was made: each counts at its own time, and only later
  ticks see it.
- Nothing that arrives can end the feed, and the venue's limits on connection attempts are respected.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidURI

from arena.errors import FeedError
from arena.feeds.base import FeedState, Pace, PriceSink, RawFrame
from arena.feeds.binance.parser import FEED, BinanceParser
from arena.feeds.binance.rest import BinanceRest, split_known_symbols
from arena.feeds.reporting import IgnoredPayloadLog, StateReporter
from arena.feeds.retry import ConnectFailure, backoff_delay
from arena.feeds.websocket import CONNECT_ERRORS, connect_failure, open_websocket

log = logging.getLogger("arena.feeds.binance")

Stream = Literal["trade", "miniTicker"]

WS_URL = "wss://data-stream.binance.vision"
FALLBACKS = ("wss://stream.binance.com:9443", "wss://stream.binance.com:443")  # some networks let only 443 out
MAX_STREAMS = 1024

# The venue accepts addresses of about 8,000 characters and messages of about 4,000 bytes; longer ones get
# no answer.
_MAX_PATH = 7_000
_MAX_MESSAGE = 3_500
# It accepts five messages a second, our pings and pongs included.
_MESSAGE_SPACING = 0.3
# Expected seconds between two updates of a pair that is traded at all. Mini-tickers come every second, but
# only of pairs that have changed.
_INTERVALS: dict[Stream, float] = {"trade": 10.0, "miniTicker": 5.0}
_ENDS = {
    "replace": "Binance ended the connection before any price came.",
    "silent": "Binance's connection was open but silent; it is being replaced.",
    "closed": "Binance closed the connection; connecting again.",
}
_UNREADABLE = frozenset({"garbled", "bad_prices", "errors"})


@dataclass(frozen=True, slots=True)
class BinanceTiming:
    """Time limits and delays, in seconds.

    The venue allows 300 attempts in five minutes: a `spacing` above 1 keeps below that. `silence` should
    exceed the usual time between two trades of the busiest symbol; `rest` limits all REST requests before
    the stream is read.
    """

    open_timeout: float = 10.0
    silence: float = 30.0
    max_age: float = 23.5 * 3600
    first_delay: float = 1.0
    max_delay: float = 60.0
    spacing: float = 1.1
    rest: float = 4.0
    warning_interval: float = 60.0


class StreamSubscription:
    """The streams of one connection: the `path` to connect to, and the `messages` to send after that.

    The streams are named in the path, or in messages where that would be too long.
    """

    def __init__(self, symbols: Sequence[str], stream: Stream) -> None:
        names = [f"{name.lower()}@{stream}" for name in symbols]
        path = f"/stream?streams={quote('/'.join(names), safe='/@')}"
        fits = len(path) <= _MAX_PATH
        self.path = path if fits else "/stream"
        self.messages = [] if fits else [_subscribe(part, n) for n, part in enumerate(_message_parts(names), 1)]

    async def send(self, socket: ClientConnection) -> None:
        """Send the messages, slower than the venue's limit."""
        for number, message in enumerate(self.messages):
            await asyncio.sleep(_MESSAGE_SPACING if number else 0.0)
            await socket.send(message, text=True)


class BinanceFeed:
    """Trades (or mini-tickers) of some symbols, at the venue's time.

    `counts` are the parser's, and the number of connections. Without `base_url` there are no REST requests:
    symbols are not checked, and missed trades stay missed. With mini-tickers none are requested either, as
    the next one is seconds away.
    """

    name = FEED

    def __init__(
        self,
        symbols: Sequence[str],
        ws_url: str = WS_URL,
        fallbacks: Sequence[str] = FALLBACKS,
        stream: Stream = "trade",
        *,
        base_url: str = "",
        timing: BinanceTiming | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.symbols: Sequence[str] = tuple(dict.fromkeys(name.upper() for name in symbols))
        if not 0 < len(self.symbols) <= MAX_STREAMS:
            raise FeedError(f"Binance takes 1 to {MAX_STREAMS} symbols, not {len(self.symbols)}.")
        self._stream = stream
        self._subscription = StreamSubscription(self.symbols, stream)
        self._addresses = [base.rstrip("/") for base in dict.fromkeys((ws_url, *fallbacks))]
        self._timing = timing or BinanceTiming()
        self._rest = BinanceRest(base_url, self._timing.rest) if base_url else None
        self._parser = BinanceParser(self.symbols)
        self.counts = self._parser.counts
        self._clock = clock
        self._failures = 0
        self._live_detail = "Receiving prices from Binance."
        self._attempted_at = float("-inf")
        self._draining: asyncio.Task[None] | None = None
        self._drain_tasks: set[asyncio.Task[None]] = set()
        self._ignored = IgnoredPayloadLog(log, self._timing.warning_interval)

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError if no address serves us, or none of the symbols exists."""
        reporter = StateReporter(sink, self.name, log)
        reporter.report(FeedState.CONNECTING, f"Connecting to {urlsplit(self._addresses[0]).netloc}.")
        try:
            await self._check_symbols()
            while True:
                delay = await self._attempt(sink, reporter)
                spaced = self._attempted_at + self._timing.spacing - asyncio.get_running_loop().time()
                await asyncio.sleep(max(delay, spaced))
        finally:
            self._stop_draining()
            await asyncio.gather(*self._drain_tasks, return_exceptions=True)

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether a price arrives from any address within `timeout` seconds; raise FeedError as `run` would.

        That is where the venue has none of the symbols.
        """
        attempts = [asyncio.create_task(self._has_price(address)) for address in self._addresses]
        attempts.append(asyncio.create_task(self._knows_a_symbol()))
        try:
            async with asyncio.timeout(timeout):
                for result in asyncio.as_completed(attempts):
                    if await result:
                        return True
        except TimeoutError:
            pass
        finally:
            for task in attempts:
                task.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)
        return False

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the expected interval of a pair that is traded at all; this market never closes."""
        del symbol, now
        return Pace(_INTERVALS[self._stream])

    async def _has_price(self, address: str) -> bool:
        parser = BinanceParser(self.symbols)
        try:
            async with open_websocket(address + self._subscription.path, self._timing.open_timeout) as socket:
                await self._subscription.send(socket)
                while not parser.parse(await socket.recv(decode=False), 0.0):
                    pass
        except CONNECT_ERRORS as error:
            log.debug("No answer from %s: %s", address, error)
            return False
        return True

    async def _knows_a_symbol(self) -> bool:
        """Return False, since a known symbol is not a price yet; raise FeedError where there is none."""
        known = await self._rest.known_symbols(self.symbols) if self._rest is not None else None
        if known is not None and known.isdisjoint(self.symbols):
            raise FeedError(split_known_symbols(self.symbols, known)[1])
        return False

    async def _check_symbols(self) -> None:
        """Leave out the symbols that the venue does not have, and name them in the state."""
        known = await self._rest.known_symbols(self.symbols) if self._rest is not None else None
        if known is None:
            return
        self.symbols, note = split_known_symbols(self.symbols, known)
        if note:
            log.warning("%s", note)
            self._live_detail += f" {note}"
        if not self.symbols:
            raise FeedError(note)
        self._subscription = StreamSubscription(self.symbols, self._stream)

    async def _attempt(self, sink: PriceSink, reporter: StateReporter) -> float:
        """Open a connection, read it to its end, and return how long to wait before the next."""
        before, end = self.counts["prices"], "closed"
        url = self._addresses[0] + self._subscription.path
        self._attempted_at = asyncio.get_running_loop().time()
        try:
            socket = await open_websocket(url, self._timing.open_timeout)
        except InvalidURI as error:
            raise FeedError(f"The address of Binance is wrong: {error}.") from error
        except CONNECT_ERRORS as error:
            return self._failed(connect_failure(error, url), reporter)
        self.counts["connections"] += 1
        try:
            end = await self._catch_up_and_read(socket, sink, reporter)
        finally:
            if end == "replace":
                self._drain(socket, sink)
            else:
                await socket.close()
        if self.counts["prices"] == before:
            return self._failed(ConnectFailure(_ENDS[end]), reporter)
        self._failures = 0
        if end == "replace":
            return 0.0
        reporter.report(FeedState.DOWN, _ENDS[end])
        return self._next_delay()

    async def _catch_up_and_read(self, socket: ClientConnection, sink: PriceSink, reporter: StateReporter) -> str:
        """Request missed trades, then read until the connection ends; return why, as a key of `_ENDS`."""
        try:
            await self._subscription.send(socket)
            if self._rest is not None and self._stream == "trade":
                await self._rest.missed_trades(self._parser.traded_symbols(), lambda body: self._take(body, sink))
            return await self._read(socket, sink, reporter)
        except ConnectionClosed as error:
            log.info("Binance closed the connection: %s", error)
            return "closed"

    async def _read(self, socket: ClientConnection, sink: PriceSink, reporter: StateReporter) -> str:
        loop = asyncio.get_running_loop()
        replace_at = loop.time() + self._timing.max_age
        try:
            async with asyncio.timeout_at(min(loop.time() + self._timing.silence, replace_at)) as limit:
                while True:
                    kind = self._take(await socket.recv(decode=False), sink)
                    if kind == "shutdown":
                        log.info("Binance announced that this server shuts down; moving on")
                        return "replace"
                    if kind in {"prices", "duplicates"}:
                        self._stop_draining()
                    if kind == "prices":
                        reporter.report(FeedState.LIVE, self._live_detail)
                        limit.reschedule(min(loop.time() + self._timing.silence, replace_at))
        except TimeoutError:
            return "replace" if loop.time() >= replace_at else "silent"

    def _take(self, payload: bytes, sink: PriceSink) -> str:
        """Record a payload, pass on its prices, and return its kind."""
        frame = RawFrame(self.name, self._clock(), payload)
        sink.on_frame(frame)
        kind, updates = self._parser.parse_with_kind(payload, frame.receive_time)
        for update in updates:
            sink.on_price(update)
        if kind in _UNREADABLE:
            self._ignored.warn("Ignored frames: %s, %d so far: %r", kind, self.counts[kind], payload[:80])
        return kind

    def _failed(self, failure: ConnectFailure, reporter: StateReporter) -> float:
        """Report a failure, turn to the next address, and return how long to wait."""
        reporter.report(FeedState.DOWN, failure.message)
        address = self._addresses.pop(0)
        if not failure.permanent:
            self._addresses.append(address)
        elif not self._addresses:
            raise FeedError(failure.message)
        return max(self._next_delay(), failure.retry_after)

    def _next_delay(self) -> float:
        self._failures += 1
        return backoff_delay(self._failures - 1, self._timing.first_delay, self._timing.max_delay)

    def _drain(self, socket: ClientConnection, sink: PriceSink) -> None:
        """Read an old connection until its replacement brings a price."""
        self._stop_draining()
        self._draining = asyncio.create_task(self._read_to_end(socket, sink), name="binance, old connection")
        self._drain_tasks.add(self._draining)
        self._draining.add_done_callback(self._drain_tasks.discard)

    async def _read_to_end(self, socket: ClientConnection, sink: PriceSink) -> None:
        try:
            while True:
                self._take(await socket.recv(decode=False), sink)
        except ConnectionClosed:
            log.debug("The old connection is closed")
        finally:
            await socket.close()

    def _stop_draining(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None


def _message_parts(names: Sequence[str]) -> Iterator[list[str]]:
    """Yield the stream names in groups that fit into one message each."""
    part: list[str] = []
    size = 0
    for name in names:
        length = len(name.encode()) + 3
        if size + length > _MAX_MESSAGE:
            yield part
            part, size = [], 0
        part.append(name)
        size += length
    yield part


def _subscribe(names: Sequence[str], number: int) -> bytes:
    return orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": number})

"""Keeps a WebSocket connection to one Alpaca endpoint: opens it, reads it, replaces it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI

from arena.errors import FeedError
from arena.feeds.alpaca.codec import CONTENT_TYPES, NANOSECONDS, Encoding, decode, encode
from arena.feeds.alpaca.handshake import (
    CONNECTION_LIMIT,
    SLOW_CLIENT,
    AlpacaHandshake,
    AlpacaKeys,
    ReconnectError,
)
from arena.feeds.alpaca.parser import AlpacaParser, ParsedPayload, PriceKind
from arena.feeds.alpaca.rest import AlpacaRest, LatestPricesQuery, LatestPricesTask
from arena.feeds.base import FeedState, Pace, PriceSink, RawFrame
from arena.feeds.reporting import IgnoredPayloadLog, StateReporter
from arena.feeds.retry import ConnectFailure, backoff_delay
from arena.feeds.websocket import CONNECT_ERRORS, connect_failure, open_websocket

log = logging.getLogger("arena.feeds.alpaca")

_SILENT_INTERVALS, _LEAST_SILENCE = 5.0, 120.0
_MAX_NAMED = 10
_UNREADABLE = ("garbled", "bad_prices", "unknown")


@dataclass(frozen=True, slots=True)
class AlpacaTiming:
    """Time limits and delays, in seconds.

    `login` covers greeting to subscription; the venue itself allows ten seconds. A connection is replaced
    when its market is open and nothing comes for `silence`, by default five of its expected intervals and at
    least two minutes. `limit_delay` is the first delay after a refusal for too many connections: the venue
    may go on counting a lost one for a while.
    """

    open_timeout: float = 10.0
    login: float = 10.0
    silence: float | None = None
    first_delay: float = 1.0
    max_delay: float = 60.0
    limit_delay: float = 15.0
    max_limit_delay: float = 300.0
    warning_interval: float = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One stream of the venue: its name, address and symbols, and when its market trades.

    `latest` is the query for its latest prices, if it has one; `halts` says whether its market has trading
    halts.
    """

    label: str
    url: str
    symbols: tuple[str, ...]
    pace: Callable[[float], Pace]
    latest: LatestPricesQuery | None = None
    halts: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """What the connections to all endpoints have in common."""

    keys: AlpacaKeys
    prices: PriceKind
    encoding: Encoding
    timing: AlpacaTiming
    clock: Callable[[], int] = time.time_ns
    rest: AlpacaRest | None = None


class AlpacaConnection:
    """One endpoint's connection; `run` ends only by cancellation or FeedError."""

    def __init__(self, feed: str, endpoint: Endpoint, config: ConnectionConfig, parser: AlpacaParser) -> None:
        self.endpoint = endpoint
        self._feed = feed
        self._config = config
        self._timing = config.timing
        self._parser = parser
        self._counts: Counter[str] = parser.counts
        self._host = urlsplit(endpoint.url).netloc
        self._failures = 0
        self._limit_failures = 0
        self._had_prices = False
        self._statuses = endpoint.halts
        self._latest: LatestPricesTask | None = None
        if config.rest is not None and endpoint.latest is not None:
            delays = (self._timing.first_delay, self._timing.max_delay)
            self._latest = LatestPricesTask(endpoint.label, config.rest, endpoint.latest, self._counts, delays)
        self._ignored = IgnoredPayloadLog(log, self._timing.warning_interval)

    async def run(self, sink: PriceSink, reporter: StateReporter) -> None:
        """Push prices until cancelled; raise FeedError when trying again cannot help."""
        label = self.endpoint.label
        reporter.report(FeedState.CONNECTING, f"Connecting to {self._host} for {label}.", label)
        while True:
            failure = await self._attempt(sink, reporter)
            reporter.report(FeedState.DOWN, f"No prices of {label}: {failure.message}", label)
            delay = backoff_delay(self._failures, self._timing.first_delay, self._timing.max_delay)
            self._failures += 1
            await asyncio.sleep(max(delay, failure.retry_after))

    async def greets(self) -> bool:
        """Return whether the endpoint greets; there is no login, since plans allow one connection."""
        try:
            async with self._open() as socket:
                while not _is_greeting(await socket.recv(decode=False)):
                    pass
        except CONNECT_ERRORS as error:
            log.debug("No greeting from %s: %s", self._host, error)
            return False
        return True

    def _open(self) -> connect:
        headers = {"Content-Type": CONTENT_TYPES[self._config.encoding]}
        return open_websocket(self.endpoint.url, self._timing.open_timeout, headers)

    async def _attempt(self, sink: PriceSink, reporter: StateReporter) -> ConnectFailure:
        """Open a connection, read it to its end, and return why it ended."""
        loop = asyncio.get_running_loop()
        began, self._had_prices = loop.time(), False
        try:
            async with self._open() as socket:
                # The library can log every frame, and one of ours holds the secret.
                socket.protocol.debug = False
                self._counts["connections"] += 1
                try:
                    failure = await self._log_in_and_read(socket, sink, reporter)
                finally:
                    if self._latest is not None:
                        await self._latest.stop()
        except InvalidURI as error:
            raise FeedError(f"The address of Alpaca is wrong: {error}.") from error
        except CONNECT_ERRORS as error:
            failure = connect_failure(error, self.endpoint.url)
        if self._had_prices or loop.time() - began > self._timing.max_delay:
            self._failures = 0
        return failure

    async def _log_in_and_read(
        self, socket: ClientConnection, sink: PriceSink, reporter: StateReporter
    ) -> ConnectFailure:
        """Log in, subscribe and read, until the connection is of no more use."""
        loop, timing = asyncio.get_running_loop(), self._timing
        handshake = AlpacaHandshake(self._config.keys, self._config.prices, self.endpoint.symbols, self._statuses)
        deadline = loop.time() + timing.login
        while True:
            was_ready = handshake.ready
            try:
                async with asyncio.timeout_at(deadline):
                    has_news = await self._receive(socket, handshake, sink)
            except ConnectionClosed:
                return ConnectFailure("Alpaca closed the connection; connecting again.")
            except ReconnectError as error:
                return self._reconnect(error)
            except TimeoutError:
                if not handshake.ready:
                    return ConnectFailure("Alpaca did not complete the login in time.")
                if self._should_have_traded():
                    return ConnectFailure("the connection was open but silent; it is being replaced.")
                has_news = True
            if handshake.ready and not was_ready:
                self._limit_failures = 0
                if self._latest is not None:
                    self._latest.start(handshake.subscribed_symbols(), lambda body: self._take(body, sink))
                reporter.report(FeedState.LIVE, _subscribed(self.endpoint.label, handshake), self.endpoint.label)
            if has_news or handshake.ready != was_ready:
                deadline = loop.time() + self._silence()

    async def _receive(self, socket: ClientConnection, handshake: AlpacaHandshake, sink: PriceSink) -> bool:
        """Receive one payload, pass on its prices, and reply to it; return whether it had news of a symbol."""
        parsed = self._take(await socket.recv(decode=False), sink)
        self._had_prices |= bool(parsed.updates)
        for control in parsed.controls:
            reply = handshake.receive(control)
            self._statuses = handshake.statuses
            if reply is not None:
                await socket.send(encode(reply, self._config.encoding))
        return bool(parsed.updates or parsed.statuses)

    def _take(self, payload: bytes, sink: PriceSink) -> ParsedPayload:
        """Record a payload, pass on its prices, and return all that it says."""
        received = self._config.clock()
        sink.on_frame(RawFrame(self._feed, received, payload))
        before = sum(self._counts[kind] for kind in _UNREADABLE)
        parsed = self._parser.parse_payload(payload, received / NANOSECONDS)
        for update in parsed.updates:
            sink.on_price(update)
        if sum(self._counts[kind] for kind in _UNREADABLE) > before:
            found = ", ".join(f"{self._counts[kind]} {kind}" for kind in _UNREADABLE if self._counts[kind])
            self._ignored.warn("Ignored messages of Alpaca so far: %s; the last in %r", found, payload[:80])
        return parsed

    def _reconnect(self, error: ReconnectError) -> ConnectFailure:
        self._counts[f"error_{error.code}"] += 1
        if error.code == SLOW_CLIENT:
            self._counts["slow_client"] += 1
        if error.code != CONNECTION_LIMIT:
            return ConnectFailure(str(error))
        wait = backoff_delay(self._limit_failures, self._timing.limit_delay, self._timing.max_limit_delay)
        self._limit_failures += 1
        return ConnectFailure(f"{error} Trying again in {wait:.0f} s.", wait)

    def _silence(self) -> float:
        if self._timing.silence is not None:
            return self._timing.silence
        return max(_SILENT_INTERVALS * self.endpoint.pace(self._now()).interval, _LEAST_SILENCE)

    def _should_have_traded(self) -> bool:
        """Return whether the market was open during the whole silence, and not every symbol is halted."""
        now = self._now()
        was_open = self.endpoint.pace(now).open and self.endpoint.pace(now - self._silence()).open
        return was_open and not self._parser.halts.all_halted(self.endpoint.symbols)

    def _now(self) -> float:
        return self._config.clock() / NANOSECONDS


def _is_greeting(payload: bytes) -> bool:
    return any(isinstance(message, dict) and message.get("msg") == "connected" for message in decode(payload) or [])


def _subscribed(label: str, handshake: AlpacaHandshake) -> str:
    """Return the sentence that names what was subscribed, and what was refused and why."""
    text = f"Subscribed to the {handshake.channel} of {len(handshake.subscribed)} symbols at Alpaca, {label}."
    if handshake.refused:
        names = sorted(handshake.refused)
        text += f" Not of {len(names)}: {', '.join(names[:_MAX_NAMED])}{', ...' * (len(names) > _MAX_NAMED)}."
        text += f" The reason: {' and '.join(sorted(set(handshake.refused.values())))}."
    return text

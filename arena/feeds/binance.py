"""Live prices from Binance Spot's public market streams; no key needed.

Rules kept here: one combined stream for all symbols; a price counts once (trade ids only go up);
a connection that says nothing of use for a while is replaced, as is one that nears the venue's
24-hour limit or is told to go; those two are read on until their replacement speaks; the venue's
limits on attempts are respected; nothing that arrives can end the feed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidURI

from arena.errors import FeedError
from arena.feeds.base import FeedState, PriceSink, PriceUpdate
from arena.feeds.live import DIAL_ERRORS, Setback, dial, price_of, setback_of

log = logging.getLogger("arena.feeds.binance")

WS_URL = "wss://data-stream.binance.vision"
FALLBACKS = ("wss://stream.binance.com:9443",)
MAX_STREAMS = 1024
Stream = Literal["trade", "miniTicker"]

# Per stream: the name of its events, and the fields of order, price and time.
_FIELDS = {"trade": ("trade", "t", "p", "T"), "miniTicker": ("24hrMiniTicker", "E", "c", "E")}
_WORDS = {
    "replace": "Binance ended the connection before any price came.",
    "silent": "Binance's connection was open but silent; it is being replaced.",
    "closed": "Binance closed the connection; connecting again.",
}
_WRONG = frozenset({"garbled", "bad_prices", "errors"})


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the feed waits for what, in seconds.

    The venue allows 300 attempts in five minutes; with `first_delay` at 1 the feed stays below.
    `silence` should exceed the usual time between two trades of the busiest symbol.
    """

    open_timeout: float = 10.0
    silence: float = 30.0
    life: float = 23.5 * 3600
    first_delay: float = 1.0
    max_delay: float = 60.0
    complaint_every: float = 60.0


@dataclass(frozen=True, slots=True)
class _Quote:
    """A price as the venue told it; `order` only goes up within a symbol."""

    symbol: str
    order: int
    price: float
    event_time: float


class BinanceFeed:
    """Trades (or mini-tickers) of some symbols, at the venue's time.

    `counts` says what arrived: prices, duplicates, unknown, garbled, bad_prices, errors, replies,
    shutdown; and how many connections were opened.
    """

    name = "binance"

    def __init__(
        self,
        symbols: Sequence[str],
        ws_url: str = WS_URL,
        fallbacks: Sequence[str] = FALLBACKS,
        stream: Stream = "trade",
        *,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.symbols: Sequence[str] = tuple(dict.fromkeys(name.upper() for name in symbols))
        if not 0 < len(self.symbols) <= MAX_STREAMS:
            raise FeedError(f"Binance takes 1 to {MAX_STREAMS} symbols, not {len(self.symbols)}.")
        self.counts: Counter[str] = Counter()
        self._wanted = frozenset(self.symbols)
        self._fields = _FIELDS[stream]
        names = "/".join(f"{name.lower()}@{stream}" for name in self.symbols)
        path = f"/stream?streams={quote(names, safe='/@')}"
        self._urls = [base.rstrip("/") + path for base in dict.fromkeys((ws_url, *fallbacks))]
        self._timing = timing or Timing()
        self._clock = clock
        self._failures = 0
        self._newest: dict[str, int] = {}
        self._fading: asyncio.Task[None] | None = None
        self._state: FeedState | None = None
        self._next_complaint = 0.0

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError if every address refuses our location."""
        self._say(sink, FeedState.CONNECTING, f"Connecting to {urlsplit(self._urls[0]).netloc}.")
        try:
            while True:
                delay = await self._attempt(sink)
                await asyncio.sleep(delay)
        finally:
            self._stop_fading()

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether a price arrives from any address within `timeout` seconds."""
        asked = [asyncio.create_task(self._answers(url)) for url in self._urls]
        try:
            async with asyncio.timeout(timeout):
                for answer in asyncio.as_completed(asked):
                    if await answer:
                        return True
        except TimeoutError:
            pass
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return False

    async def _answers(self, url: str) -> bool:
        try:
            async with dial(url, self._timing.open_timeout) as socket:
                while isinstance(self._parse(await socket.recv(decode=False)), str):
                    pass
        except DIAL_ERRORS as error:
            log.debug("No answer from %s: %s", url, error)
            return False
        return True

    async def _attempt(self, sink: PriceSink) -> float:
        """Open a connection, read it to its end, and return how long to wait before the next."""
        before, end = self.counts["prices"], "closed"
        try:
            socket = await dial(self._urls[0], self._timing.open_timeout)
        except InvalidURI as error:
            raise FeedError(f"The address of Binance is wrong: {error}.") from error
        except DIAL_ERRORS as error:
            return self._failed(setback_of(error, self._urls[0]), sink)
        self.counts["connections"] += 1
        try:
            end = await self._read(socket, sink)
        finally:
            if end == "replace":
                self._fade(socket, sink)
            else:
                await socket.close()
        if self.counts["prices"] == before:
            return self._failed(Setback(_WORDS[end]), sink)
        self._failures = 0
        if end == "replace":
            return 0.0
        if end == "silent":
            # Should the venue have begun to count anew, all its trades would look old for ever.
            self._newest.clear()
        self._say(sink, FeedState.DOWN, _WORDS[end])
        return self._delay()

    async def _read(self, socket: ClientConnection, sink: PriceSink) -> str:
        """Read until the connection is to be replaced, and return why: a key of `_WORDS`."""
        loop = asyncio.get_running_loop()
        aged_at = loop.time() + self._timing.life
        try:
            async with asyncio.timeout_at(min(loop.time() + self._timing.silence, aged_at)) as limit:
                while True:
                    kind = self._take(await socket.recv(decode=False), sink)
                    if kind == "shutdown":
                        log.info("Binance announced that this server shuts down; moving on")
                        return "replace"
                    if kind in {"prices", "duplicates"}:
                        self._stop_fading()
                    if kind == "prices":
                        limit.reschedule(min(loop.time() + self._timing.silence, aged_at))
        except ConnectionClosed as error:
            log.info("Binance closed the connection: %s", error)
            return "closed"
        except TimeoutError:
            return "replace" if loop.time() >= aged_at else "silent"

    def _take(self, frame: bytes, sink: PriceSink) -> str:
        """Pass on what a frame says, and return (and count) what kind of frame it was."""
        found = self._parse(frame)
        if isinstance(found, str):
            kind = found
        elif found.order <= self._newest.get(found.symbol, -1):
            kind = "duplicates"
        else:
            kind = "prices"
            self._newest[found.symbol] = found.order
            now = self._clock()
            sink.on_price(PriceUpdate(found.symbol, found.price, found.event_time, now))
            self._say(sink, FeedState.LIVE, "Receiving prices from Binance.")
        self.counts[kind] += 1
        if kind in _WRONG:
            self._complain(kind, frame)
        return kind

    def _parse(self, frame: bytes) -> _Quote | str:
        """Return the price in a frame, or the kind of frame that holds none."""
        data = _payload(frame)
        if data is None:
            return "garbled"
        name, order_key, price_key, time_key = self._fields
        symbol = data.get("s")
        if data.get("e") != name or not isinstance(symbol, str) or symbol not in self._wanted:
            return _other(data)
        order, stamp = data.get(order_key), data.get(time_key)
        if type(order) is not int or type(stamp) is not int or order < 0 or stamp <= 0:
            return "garbled"
        price = price_of(data.get(price_key))
        return _Quote(symbol, order, price, _seconds(stamp)) if price else "bad_prices"

    def _failed(self, setback: Setback, sink: PriceSink) -> float:
        """Say what went wrong, turn to the next address, and return how long to wait."""
        self._say(sink, FeedState.DOWN, setback.sentence)
        address = self._urls.pop(0)
        if not setback.blocked:
            self._urls.append(address)
        elif not self._urls:
            raise FeedError(setback.sentence)
        return max(self._delay(), setback.stay_away)

    def _delay(self) -> float:
        timing = self._timing
        # The exponent is capped: a float overflows after some weeks without a network.
        delay = min(timing.first_delay * 2.0 ** min(self._failures, 30), timing.max_delay)
        self._failures += 1
        return delay * random.uniform(1.0, 1.5)

    def _fade(self, socket: ClientConnection, sink: PriceSink) -> None:
        """Read an outgoing connection on until its replacement speaks."""
        self._stop_fading()
        self._fading = asyncio.create_task(self._read_out(socket, sink), name="binance, outgoing")

    async def _read_out(self, socket: ClientConnection, sink: PriceSink) -> None:
        try:
            while True:
                self._take(await socket.recv(decode=False), sink)
        except ConnectionClosed:
            log.debug("The outgoing connection is closed")
        finally:
            await socket.close()

    def _stop_fading(self) -> None:
        if self._fading is not None:
            self._fading.cancel()
            self._fading = None

    def _say(self, sink: PriceSink, state: FeedState, detail: str) -> None:
        if state is FeedState.LIVE and self._state is state:
            return
        self._state = state
        log.log(logging.WARNING if state is FeedState.DOWN else logging.INFO, "%s", detail)
        sink.on_state(self.name, state, detail)

    def _complain(self, kind: str, frame: bytes) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + self._timing.complaint_every
            log.warning("Ignored frames: %s, %d so far: %r", kind, self.counts[kind], frame[:80])


def _seconds(stamp: int) -> float:
    """Return milliseconds, or microseconds (16 digits), as seconds."""
    return stamp / 1e6 if stamp >= 10**15 else stamp / 1e3


def _payload(frame: bytes) -> dict[str, Any] | None:
    """Return the event in a frame of a raw or combined stream, None if it is no JSON."""
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    if isinstance(message, dict) and "stream" in message:
        message = message.get("data")
    return message if isinstance(message, dict) else {}


def _other(data: dict[str, Any]) -> str:
    """Return what an event is that holds no price of ours."""
    if data.get("e") == "serverShutdown":
        return "shutdown"
    if "e" not in data and ("code" in data or "error" in data):
        return "errors"
    return "replies" if "e" not in data and "result" in data else "unknown"

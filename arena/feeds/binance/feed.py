"""Live prices from Binance Spot's public market streams; no key needed.

Rules kept here: one combined stream for all symbols; a connection that says nothing of use for a while
is replaced, as is one that nears the venue's 24-hour limit or is told to go; those two are read on
until their replacement speaks; what was missed between two connections is asked for by REST before the
new one is read, so that trades are told in their order; the venue's limits on attempts are respected;
nothing that arrives can end the feed.

Asking for missed trades does not rewrite the past: a trade counts at its own time, and a tick is made
once, from what had arrived by then. A later tick sees the newest trade, which is the venue's price.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidURI

from arena.errors import FeedError
from arena.feeds.base import FeedState, Frame, Pace, PriceSink
from arena.feeds.binance.frames import FEED, BinanceParser
from arena.feeds.binance.rest import BinanceRest
from arena.feeds.binance.streams import MAX_STREAMS, Stream, Wishes
from arena.feeds.binance.symbols import sorted_out
from arena.feeds.dialling import DIAL_ERRORS, Setback, back_off, dial, setback_of

log = logging.getLogger("arena.feeds.binance")

WS_URL = "wss://data-stream.binance.vision"
FALLBACKS = ("wss://stream.binance.com:9443", "wss://stream.binance.com:443")  # some networks let only 443 out

# Seconds between two news of a pair that is traded at all. Mini-tickers come every second, but only of
# pairs that have changed; one that is quiet for a few is no sign of trouble.
_INTERVALS: dict[Stream, float] = {"trade": 10.0, "miniTicker": 5.0}
_WORDS = {
    "replace": "Binance ended the connection before any price came.",
    "silent": "Binance's connection was open but silent; it is being replaced.",
    "closed": "Binance closed the connection; connecting again.",
}
_WRONG = frozenset({"garbled", "bad_prices", "errors"})


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the feed waits for what, in seconds.

    The venue allows 300 attempts in five minutes: with `spacing` above 1 the feed stays below, even where
    every connection is good and short. `silence` should exceed the usual time between two trades of the
    busiest symbol; `rest` is for all that is asked by REST before the stream is read.
    """

    open_timeout: float = 10.0
    silence: float = 30.0
    life: float = 23.5 * 3600
    first_delay: float = 1.0
    max_delay: float = 60.0
    spacing: float = 1.1
    rest: float = 4.0
    complaint_every: float = 60.0


class BinanceFeed:
    """Trades (or mini-tickers) of some symbols, at the venue's time.

    `counts` says what arrived, as the parser counts it, and how many connections were opened. Without
    `base_url` nothing is asked by REST: symbols are not checked, and missed trades stay missed. They do
    so with mini-tickers too, the next of which is at most seconds away.
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
        timing: Timing | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.symbols: Sequence[str] = tuple(dict.fromkeys(name.upper() for name in symbols))
        if not 0 < len(self.symbols) <= MAX_STREAMS:
            raise FeedError(f"Binance takes 1 to {MAX_STREAMS} symbols, not {len(self.symbols)}.")
        self._stream = stream
        self._wishes = Wishes(self.symbols, stream)
        self._addresses = [base.rstrip("/") for base in dict.fromkeys((ws_url, *fallbacks))]
        self._timing = timing or Timing()
        self._rest = BinanceRest(base_url, self._timing.rest) if base_url else None
        self._parser = BinanceParser(self.symbols)
        self.counts = self._parser.counts
        self._clock = clock
        self._failures = 0
        self._note = ""
        self._dialled = float("-inf")
        self._fading: asyncio.Task[None] | None = None
        self._outgoing: set[asyncio.Task[None]] = set()
        self._state: FeedState | None = None
        self._next_complaint = 0.0

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError if no address serves us, or none of the symbols exists."""
        self._say(sink, FeedState.CONNECTING, f"Connecting to {urlsplit(self._addresses[0]).netloc}.")
        try:
            await self._check_symbols()
            while True:
                delay = await self._attempt(sink)
                spaced = self._dialled + self._timing.spacing - asyncio.get_running_loop().time()
                await asyncio.sleep(max(delay, spaced))
        finally:
            self._stop_fading()
            await asyncio.gather(*self._outgoing, return_exceptions=True)

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether a price arrives from any address within `timeout` seconds; raise FeedError as `run` would.

        That is where the venue has none of the symbols.
        """
        asked = [asyncio.create_task(self._answers(address)) for address in self._addresses]
        asked.append(asyncio.create_task(self._knows_some()))
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

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the usual pace of a pair that is traded at all; this market never closes."""
        del symbol, now
        return Pace(_INTERVALS[self._stream])

    async def _answers(self, address: str) -> bool:
        parser = BinanceParser(self.symbols)
        try:
            async with dial(address + self._wishes.path, self._timing.open_timeout) as socket:
                await self._wishes.say(socket)
                while not parser.parse(await socket.recv(decode=False), 0.0):
                    pass
        except DIAL_ERRORS as error:
            log.debug("No answer from %s: %s", address, error)
            return False
        return True

    async def _knows_some(self) -> bool:
        """Return False, for a known symbol is no price yet; raise FeedError where there is none."""
        known = await self._rest.listed(self.symbols) if self._rest is not None else None
        if known is not None and known.isdisjoint(self.symbols):
            raise FeedError(sorted_out(self.symbols, known)[1])
        return False

    async def _check_symbols(self) -> None:
        """Leave out the symbols that the venue does not have, and say so from now on."""
        known = await self._rest.listed(self.symbols) if self._rest is not None else None
        if known is None:
            return
        self.symbols, self._note = sorted_out(self.symbols, known)
        if self._note:
            log.warning("%s", self._note)
        if not self.symbols:
            raise FeedError(self._note)
        self._wishes = Wishes(self.symbols, self._stream)

    async def _attempt(self, sink: PriceSink) -> float:
        """Open a connection, read it to its end, and return how long to wait before the next."""
        before, end = self.counts["prices"], "closed"
        url = self._addresses[0] + self._wishes.path
        self._dialled = asyncio.get_running_loop().time()
        try:
            socket = await dial(url, self._timing.open_timeout)
        except InvalidURI as error:
            raise FeedError(f"The address of Binance is wrong: {error}.") from error
        except DIAL_ERRORS as error:
            return self._failed(setback_of(error, url), sink)
        self.counts["connections"] += 1
        try:
            end = await self._listen(socket, sink)
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
        self._say(sink, FeedState.DOWN, _WORDS[end])
        return self._delay()

    async def _listen(self, socket: ClientConnection, sink: PriceSink) -> str:
        """Catch up, then read until the connection is to be replaced; return why: a key of `_WORDS`."""
        try:
            await self._wishes.say(socket)
            if self._rest is not None and self._stream == "trade":
                await self._rest.missed(self._parser.heard(), lambda answer: self._take(answer, sink))
            return await self._read(socket, sink)
        except ConnectionClosed as error:
            log.info("Binance closed the connection: %s", error)
            return "closed"

    async def _read(self, socket: ClientConnection, sink: PriceSink) -> str:
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
                        self._say(sink, FeedState.LIVE, f"Receiving prices from Binance. {self._note}".rstrip())
                        limit.reschedule(min(loop.time() + self._timing.silence, aged_at))
        except TimeoutError:
            return "replace" if loop.time() >= aged_at else "silent"

    def _take(self, payload: bytes, sink: PriceSink) -> str:
        """Pass on what a payload says, and return what kind it was."""
        frame = Frame(self.name, self._clock(), payload)
        sink.on_frame(frame)
        kind, updates = self._parser.read(payload, frame.receive_time)
        for update in updates:
            sink.on_price(update)
        if kind in _WRONG:
            self._complain(kind, payload)
        return kind

    def _failed(self, setback: Setback, sink: PriceSink) -> float:
        """Say what went wrong, turn to the next address, and return how long to wait."""
        self._say(sink, FeedState.DOWN, setback.sentence)
        address = self._addresses.pop(0)
        if not setback.blocked:
            self._addresses.append(address)
        elif not self._addresses:
            raise FeedError(setback.sentence)
        return max(self._delay(), setback.stay_away)

    def _delay(self) -> float:
        timing = self._timing
        self._failures += 1
        return back_off(self._failures - 1, timing.first_delay, timing.max_delay)

    def _fade(self, socket: ClientConnection, sink: PriceSink) -> None:
        """Read an outgoing connection on until its replacement speaks."""
        self._stop_fading()
        self._fading = asyncio.create_task(self._read_out(socket, sink), name="binance, outgoing")
        self._outgoing.add(self._fading)
        self._fading.add_done_callback(self._outgoing.discard)

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

    def _complain(self, kind: str, payload: bytes) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + self._timing.complaint_every
            log.warning("Ignored frames: %s, %d so far: %r", kind, self.counts[kind], payload[:80])

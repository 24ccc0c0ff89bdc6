"""Keeps a connection to one Alpaca endpoint: opens it, reads it, replaces it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidURI

from arena.errors import FeedError
from arena.feeds.alpaca.codec import CONTENT_TYPES, NANOSECONDS, decode, encode
from arena.feeds.alpaca.manner import Manner, Place
from arena.feeds.alpaca.parser import AlpacaParser, Reading
from arena.feeds.alpaca.recall import Recall
from arena.feeds.alpaca.session import CONNECTION_LIMIT, SLOW_CLIENT, LostError, Session
from arena.feeds.base import FeedState, Frame, PriceSink
from arena.feeds.dialling import DIAL_ERRORS, Setback, back_off, dial, setback_of

log = logging.getLogger("arena.feeds.alpaca")

Say = Callable[[str, FeedState, str], None]
_SILENT_INTERVALS, _LEAST_SILENCE = 5.0, 120.0
_NAMED = 10
_WRONG = ("garbled", "bad_prices", "unknown")


class Connection:
    """One endpoint's connection; `run` ends only by cancellation or FeedError."""

    def __init__(self, name: str, place: Place, manner: Manner, parser: AlpacaParser) -> None:
        self.place = place
        self._name = name
        self._manner = manner
        self._timing = manner.timing
        self._parser = parser
        self._counts: Counter[str] = parser.counts
        self._host = urlsplit(place.url).netloc
        self._failures = 0
        self._limit_failures = 0
        self._had_prices = False
        self._statuses = place.halts
        self._recall = Recall(place, manner, self._counts)
        self._next_complaint = 0.0

    async def run(self, sink: PriceSink, say: Say) -> None:
        """Push prices until cancelled; raise FeedError when trying again cannot help."""
        say(self.place.label, FeedState.CONNECTING, f"Connecting to {self._host} for {self.place.label}.")
        while True:
            setback = await self._attempt(sink, say)
            say(self.place.label, FeedState.DOWN, f"No prices of {self.place.label}: {setback.sentence}")
            delay = back_off(self._failures, self._timing.first_delay, self._timing.max_delay)
            self._failures += 1
            await asyncio.sleep(max(delay, setback.stay_away))

    async def greets(self) -> bool:
        """Return whether the endpoint greets; the login is left out, since plans allow one connection."""
        try:
            async with self._dial() as socket:
                while not _is_greeting(await socket.recv(decode=False)):
                    pass
        except DIAL_ERRORS as error:
            log.debug("No greeting from %s: %s", self._host, error)
            return False
        return True

    def _dial(self) -> connect:
        headers = {"Content-Type": CONTENT_TYPES[self._manner.encoding]}
        return dial(self.place.url, self._timing.open_timeout, headers)

    async def _attempt(self, sink: PriceSink, say: Say) -> Setback:
        """Open a connection, read it to its end, and return why it ended."""
        loop = asyncio.get_running_loop()
        began, self._had_prices = loop.time(), False
        try:
            async with self._dial() as socket:
                # The library can log every frame, and one of ours holds the secret.
                socket.protocol.debug = False
                self._counts["connections"] += 1
                try:
                    setback = await self._converse(socket, sink, say)
                finally:
                    await self._recall.end()
        except InvalidURI as error:
            raise FeedError(f"The address of Alpaca is wrong: {error}.") from error
        except DIAL_ERRORS as error:
            setback = setback_of(error, self.place.url)
        if self._had_prices or loop.time() - began > self._timing.max_delay:
            self._failures = 0
        return setback

    async def _converse(self, socket: ClientConnection, sink: PriceSink, say: Say) -> Setback:
        """Log in, subscribe and read, until the connection is of no more use."""
        loop, timing = asyncio.get_running_loop(), self._timing
        session = Session(self._manner.keys, self._manner.prices, self.place.symbols, self._statuses)
        deadline = loop.time() + timing.login
        while True:
            was_ready = session.ready
            try:
                async with asyncio.timeout_at(deadline):
                    has_news = await self._take(socket, session, sink)
            except ConnectionClosed:
                return Setback("Alpaca closed the connection; connecting again.")
            except LostError as error:
                return self._lost(error)
            except TimeoutError:
                if not session.ready:
                    return Setback("Alpaca did not complete the login in time.")
                if self._owes_news():
                    return Setback("the connection was open but silent; it is being replaced.")
                has_news = True
            if session.ready and not was_ready:
                self._limit_failures = 0
                self._begin(session, sink)
                say(self.place.label, FeedState.LIVE, _welcome(self.place.label, session))
            if has_news or session.ready != was_ready:
                deadline = loop.time() + self._silence()

    async def _take(self, socket: ClientConnection, session: Session, sink: PriceSink) -> bool:
        """Receive one payload, pass on its prices, and answer it; return whether it had news of a symbol."""
        reading = self._read(await socket.recv(decode=False), sink)
        self._had_prices |= bool(reading.updates)
        for control in reading.controls:
            answer = session.hear(control)
            self._statuses = session.statuses
            if answer is not None:
                await socket.send(encode(answer, self._manner.encoding))
        return bool(reading.updates or reading.statuses)

    def _read(self, payload: bytes, sink: PriceSink) -> Reading:
        """Pass on the prices of a payload, and return all that it says."""
        received = self._manner.clock()
        sink.on_frame(Frame(self._name, received, payload))
        wrong = sum(self._counts[kind] for kind in _WRONG)
        reading = self._parser.read(payload, received / NANOSECONDS)
        for update in reading.updates:
            sink.on_price(update)
        if sum(self._counts[kind] for kind in _WRONG) > wrong:
            self._complain(payload)
        return reading

    def _begin(self, session: Session, sink: PriceSink) -> None:
        """Ask for what the stream does not repeat, once it is subscribed."""
        self._recall.begin(session.priced(), lambda answer: self._read(answer, sink))

    def _lost(self, error: LostError) -> Setback:
        self._counts[f"error_{error.code}"] += 1
        if error.code == SLOW_CLIENT:
            self._counts["slow_client"] += 1
        if error.code != CONNECTION_LIMIT:
            return Setback(str(error))
        wait = back_off(self._limit_failures, self._timing.limit_delay, self._timing.max_limit_delay)
        self._limit_failures += 1
        return Setback(f"{error} Trying again in {wait:.0f} s.", wait)

    def _silence(self) -> float:
        if self._timing.silence is not None:
            return self._timing.silence
        return max(_SILENT_INTERVALS * self.place.pace(self._now()).interval, _LEAST_SILENCE)

    def _owes_news(self) -> bool:
        """Return whether the market was open for the whole time of the silence, and not all of it is halted."""
        now = self._now()
        was_open = self.place.pace(now).open and self.place.pace(now - self._silence()).open
        return was_open and not self._parser.halts.cover(self.place.symbols)

    def _now(self) -> float:
        return self._manner.clock() / NANOSECONDS

    def _complain(self, payload: bytes) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + self._timing.complaint_every
            found = ", ".join(f"{self._counts[kind]} {kind}" for kind in _WRONG if self._counts[kind])
            log.warning("Ignored messages of Alpaca so far: %s; the last in %r", found, payload[:80])


def _is_greeting(payload: bytes) -> bool:
    return any(isinstance(message, dict) and message.get("msg") == "connected" for message in decode(payload) or [])


def _welcome(label: str, session: Session) -> str:
    text = f"Subscribed to the {session.channel} of {len(session.subscribed)} symbols at Alpaca, {label}."
    if session.refused:
        names = sorted(session.refused)
        text += f" Not of {len(names)}: {', '.join(names[:_NAMED])}{', ...' * (len(names) > _NAMED)}."
        text += f" The reason: {' and '.join(sorted(set(session.refused.values())))}."
    return text

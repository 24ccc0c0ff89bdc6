"""Live prices from Alpaca's market data streams; a free account's key is needed.

Rules kept here: symbols with a slash are crypto pairs, all others stocks, and each kind has a
connection of its own; one kind may fail for good without ending the other; a market that is closed
is not a silent connection, nor is one whose symbols are all halted; the keys are sent to the venue
and shown nowhere.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from arena.errors import FeedError
from arena.feeds.alpaca.codec import Encoding
from arena.feeds.alpaca.connection import Connection
from arena.feeds.alpaca.manner import Manner, Place, Timing
from arena.feeds.alpaca.parser import AlpacaParser, Prices
from arena.feeds.alpaca.rest import BASE_URL, LatestPrices, Question
from arena.feeds.alpaca.session import Keys
from arena.feeds.base import FeedState, Pace, PriceSink
from arena.feeds.market_hours import Session, session_at

log = logging.getLogger("arena.feeds.alpaca")

WS_URL = "wss://stream.data.alpaca.markets"

StockFeed = Literal["iex", "sip", "delayed_sip", "test"]
Location = Literal["us", "us-1", "eu-1"]

# Seconds between two prices of a symbol that is traded at all: one exchange of a few per cent of the
# volume, or all exchanges together.
_TRADES = {"iex": 60.0}
_USUAL = {"trades": 10.0, "quotes": 10.0, "bars": 60.0}
_EXTENDED_FACTOR = 6.0
_DELAY = 15 * 60.0
_RANK = {FeedState.LIVE: 0, FeedState.CONNECTING: 1, FeedState.DOWN: 2, FeedState.FAILED: 3}
_LEVELS = {FeedState.DOWN: logging.WARNING, FeedState.FAILED: logging.ERROR}


class AlpacaFeed:
    """Trades, quotes or minute bars of stocks and crypto pairs, at the venue's time.

    After each login the last prices are asked for at `base_url`, not at all where that is empty.

    `counts` says what arrived: prices, duplicates, late, corrections, cancels, garbled and so on;
    how many connections were opened; and `slow_client`, how often the venue found us too slow.
    """

    name = "alpaca"

    def __init__(
        self,
        symbols: Sequence[str],
        key: str,
        secret: str,
        *,
        feed: StockFeed = "iex",
        location: Location = "us",
        prices: Prices = "trades",
        encoding: Encoding = "msgpack",
        ws_url: str = WS_URL,
        base_url: str = BASE_URL,
        timing: Timing | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.symbols: Sequence[str] = tuple(dict.fromkeys(name.strip().upper() for name in symbols))
        if not self.symbols or "" in self.symbols:
            raise FeedError("Alpaca needs at least one symbol, and none of them empty.")
        if not key or not secret:
            raise FeedError("Alpaca needs a key: set ALPACA_API_KEY and ALPACA_SECRET_KEY.")
        self._parser = AlpacaParser(self.symbols, prices, self.name)
        self.counts: Counter[str] = self._parser.counts
        stocks = tuple(name for name in self.symbols if not is_crypto(name))
        pairs = tuple(name for name in self.symbols if is_crypto(name))
        base = ws_url.rstrip("/")
        self._stock_pace = partial(stock_pace, feed, prices)
        self._pair_pace = Pace(_USUAL[prices])
        # The test stream has no REST side.
        stock_question = None if feed == "test" else Question(f"/v2/stocks/{prices}/latest", {"feed": feed})
        pair_question = Question(f"/v1beta3/crypto/{location}/latest/{prices}")
        places = (
            Place(f"stocks ({feed})", f"{base}/v2/{feed}", stocks, self._stock_pace, stock_question, halts=True),
            Place(
                f"crypto ({location})", f"{base}/v1beta3/crypto/{location}", pairs, lambda _now: self._pair_pace,
                pair_question,
            ),
        )  # fmt: skip
        keys, times = Keys(key, secret), timing or Timing()
        rest = LatestPrices(base_url, keys, times.open_timeout, clock) if base_url else None
        manner = Manner(keys, prices, encoding, times, clock, rest)
        self._connections = [Connection(self.name, place, manner, self._parser) for place in places if place.symbols]
        self._conditions: dict[str, tuple[FeedState, str]] = {}

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError once no connection is of use any more."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._keep(each, sink)) for each in self._connections]
        raise FeedError(" ".join(task.result() for task in tasks))

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether every endpoint greets in time; a closed market would not give a price to wait for."""
        try:
            async with asyncio.timeout(timeout):
                return all(await asyncio.gather(*(each.greets() for each in self._connections)))
        except TimeoutError:
            return False

    def pace(self, symbol: str, now: float) -> Pace:
        """Return the usual pace of a symbol, whether its market is open, and whether it is halted."""
        if is_crypto(symbol):
            return self._pair_pace
        pace, halted = self._stock_pace(now), self._parser.halts.reason(symbol)
        return replace(pace, halted=halted) if halted else pace

    async def _keep(self, connection: Connection, sink: PriceSink) -> str:
        """Run a connection for good and return why it cannot go on."""
        try:
            await connection.run(sink, partial(self._say, sink))
        except FeedError as error:
            self._say(sink, connection.place.label, FeedState.FAILED, str(error))
            return str(error)
        raise AssertionError("a connection ends only by an error")

    def _say(self, sink: PriceSink, label: str, state: FeedState, detail: str) -> None:
        """Pass on a change: the feed is as well as its best connection, and each has its sentence."""
        log.log(_LEVELS.get(state, logging.INFO), "%s", detail)
        self._conditions[label] = (state, detail)
        best = min((each for each, _ in self._conditions.values()), key=_RANK.__getitem__)
        if best is not FeedState.FAILED:  # the end is said by whoever catches the error
            sink.on_state(self.name, best, " ".join(words for _, words in self._conditions.values()))


def is_crypto(symbol: str) -> bool:
    """Return whether a symbol is a crypto pair, such as BTC/USD."""
    return "/" in symbol


def stock_pace(feed: StockFeed, prices: Prices, now: float) -> Pace:
    """Return how often a stock's price is to be expected.

    The consolidated feeds trade from 04:00 to 20:00, with less before and after the regular session;
    IEX has prices worth waiting for in the regular session only; the test feed never closes.
    """
    interval = _TRADES.get(feed, _USUAL[prices]) if prices == "trades" else _USUAL[prices]
    if feed == "test":
        return Pace(interval)
    session = session_at(now - _DELAY if feed == "delayed_sip" else now)
    if session is Session.EXTENDED and feed != "iex":
        return Pace(interval * _EXTENDED_FACTOR)
    return Pace(interval, open=session is Session.REGULAR)

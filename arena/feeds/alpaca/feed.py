"""Live prices from Alpaca's market data streams; a free account's key is needed.

- Symbols with a slash are crypto pairs, all others stocks. Each kind has a connection of its own, and one
  can fail for good without ending the other.
- A closed market does not make a connection silent, nor do symbols that are all halted.
- The keys are sent to the venue and appear nowhere else.
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
from arena.feeds.alpaca.connection import AlpacaConnection, AlpacaTiming, ConnectionConfig, Endpoint
from arena.feeds.alpaca.handshake import AlpacaKeys
from arena.feeds.alpaca.parser import AlpacaParser, PriceKind
from arena.feeds.alpaca.rest import BASE_URL, AlpacaRest, LatestPricesQuery
from arena.feeds.base import FeedState, Pace, PriceSink
from arena.feeds.market_hours import TradingSession, session_at
from arena.feeds.reporting import StateReporter

log = logging.getLogger("arena.feeds.alpaca")

WS_URL = "wss://stream.data.alpaca.markets"

StockFeed = Literal["iex", "sip", "delayed_sip", "test"]
Location = Literal["us", "us-1", "eu-1"]

# Expected seconds between two prices of a symbol that is traded at all. IEX is one exchange with a few per
# cent of the volume, the other feeds are all exchanges together.
_INTERVALS: dict[PriceKind, float] = {"trades": 10.0, "quotes": 10.0, "bars": 60.0}
_IEX_TRADES_INTERVAL = 60.0
_EXTENDED_HOURS_FACTOR = 6.0
_SIP_DELAY = 15 * 60.0


class AlpacaFeed:
    """Trades, quotes or minute bars of stocks and crypto pairs, at the venue's time.

    After each login the latest prices are requested at `base_url`; an empty one requests none.

    `counts` counts messages by kind (prices, duplicates, late, corrections, cancels, garbled and so on),
    connections, and `slow_client`: how often the venue found that we read too slowly.
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
        prices: PriceKind = "trades",
        encoding: Encoding = "msgpack",
        ws_url: str = WS_URL,
        base_url: str = BASE_URL,
        timing: AlpacaTiming | None = None,
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
        self._pair_pace = Pace(_INTERVALS[prices])
        # The test stream has no REST API.
        stock_query = None if feed == "test" else LatestPricesQuery(f"/v2/stocks/{prices}/latest", {"feed": feed})
        pair_query = LatestPricesQuery(f"/v1beta3/crypto/{location}/latest/{prices}")
        endpoints = (
            Endpoint(f"stocks ({feed})", f"{base}/v2/{feed}", stocks, self._stock_pace, stock_query, halts=True),
            Endpoint(
                f"crypto ({location})", f"{base}/v1beta3/crypto/{location}", pairs, lambda _now: self._pair_pace,
                pair_query,
            ),
        )  # fmt: skip
        keys, times = AlpacaKeys(key, secret), timing or AlpacaTiming()
        rest = AlpacaRest(base_url, keys, times.open_timeout, clock) if base_url else None
        config = ConnectionConfig(keys, prices, encoding, times, clock, rest)
        self._connections = [
            AlpacaConnection(self.name, endpoint, config, self._parser) for endpoint in endpoints if endpoint.symbols
        ]

    async def run(self, sink: PriceSink) -> None:
        """Push prices until cancelled; raise FeedError once every connection has failed for good."""
        reporter = StateReporter(sink, self.name, log)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._run_connection(each, sink, reporter)) for each in self._connections]
        raise FeedError(" ".join(task.result() for task in tasks))

    async def reachable(self, timeout: float) -> bool:  # noqa: ASYNC109 - the caller's budget
        """Return whether every endpoint greets in time; a closed market would not give a price to wait for."""
        try:
            async with asyncio.timeout(timeout):
                return all(await asyncio.gather(*(each.greets() for each in self._connections)))
        except TimeoutError:
            return False

    def pace(self, symbol: str, now: float) -> Pace:
        """Return a symbol's expected interval, whether its market is open, and whether it is halted."""
        if is_crypto(symbol):
            return self._pair_pace
        pace, halted = self._stock_pace(now), self._parser.halts.reason(symbol)
        return replace(pace, halted=halted) if halted else pace

    async def _run_connection(self, connection: AlpacaConnection, sink: PriceSink, reporter: StateReporter) -> str:
        """Run a connection until it fails for good, and return why."""
        try:
            await connection.run(sink, reporter)
        except FeedError as error:
            reporter.report(FeedState.FAILED, str(error), connection.endpoint.label)
            return str(error)
        raise AssertionError("a connection ends only by an error")


def is_crypto(symbol: str) -> bool:
    """Return whether a symbol is a crypto pair, such as BTC/USD."""
    return "/" in symbol


def stock_pace(feed: StockFeed, prices: PriceKind, now: float) -> Pace:
    """Return how often a stock's price is expected.

    The consolidated feeds trade from 04:00 to 20:00, with less volume outside the regular session; IEX has
    enough trades in the regular session only; the test feed never closes.
    """
    interval = _IEX_TRADES_INTERVAL if feed == "iex" and prices == "trades" else _INTERVALS[prices]
    if feed == "test":
        return Pace(interval)
    session = session_at(now - _SIP_DELAY if feed == "delayed_sip" else now)
    if session is TradingSession.EXTENDED and feed != "iex":
        return Pace(interval * _EXTENDED_HOURS_FACTOR)
    return Pace(interval, open=session is TradingSession.REGULAR)

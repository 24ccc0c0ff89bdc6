"""The venues by name: what each live feed is made of."""

from __future__ import annotations

from arena.clock import CLOCK
from arena.config import Settings
from arena.errors import FeedError
from arena.feeds.alpaca import AlpacaFeed
from arena.feeds.base import LiveFeed
from arena.feeds.binance.feed import FALLBACKS, WS_URL, BinanceFeed
from arena.feeds.ccxt.feed import CcxtFeed
from arena.feeds.manifold.feed import ManifoldFeed
from arena.feeds.stockdata.budget import EXTENDED, REGULAR, UsageBook
from arena.feeds.stockdata.feed import StockDataFeed


def make_feed(name: str, settings: Settings, book: UsageBook | None = None) -> LiveFeed:
    """Return the live feed of a venue as it is configured; FeedError where it cannot be built.

    `book` keeps the daily usage of a feed that has a budget; without one it is forgotten at the end.
    """
    sources = settings.data_sources
    if name == "binance":
        binance = sources.binance
        fallbacks = FALLBACKS if binance.ws_url == WS_URL else ()
        return BinanceFeed(
            binance.symbols, binance.ws_url, fallbacks, binance.stream, clock=CLOCK.now_ns, base_url=binance.base_url
        )
    if name == "alpaca":
        alpaca = sources.alpaca
        return AlpacaFeed(
            alpaca.symbols, settings.alpaca_api_key.get_secret_value(), settings.alpaca_secret_key.get_secret_value(),
            feed=alpaca.feed, location=alpaca.location, prices=alpaca.prices, encoding=alpaca.encoding,
            ws_url=alpaca.ws_url, base_url=alpaca.base_url, clock=CLOCK.now_ns,
        )  # fmt: skip
    if name == "manifold":
        manifold = sources.manifold
        return ManifoldFeed(
            manifold.markets, manifold.poll_seconds, manifold.base_url, manifold.ws_url, clock=CLOCK.now
        )
    if name == "stockdata":
        stockdata = sources.stockdata
        return StockDataFeed(
            stockdata.symbols, settings.stockdata_api_key.get_secret_value(), stockdata.base_url,
            poll_seconds=stockdata.poll_seconds, daily_requests=stockdata.daily_requests,
            symbols_per_request=stockdata.symbols_per_request,
            hours=EXTENDED if stockdata.extended_hours else REGULAR, book=book, clock=CLOCK.now,
        )  # fmt: skip
    if name.startswith("ccxt:"):
        ccxt = sources.ccxt
        return CcxtFeed(
            name.removeprefix("ccxt:"), ccxt.symbols, ccxt.poll_seconds, base_url=ccxt.base_url, clock=CLOCK.now
        )
    raise FeedError(f"'{name}' is not a live feed.")

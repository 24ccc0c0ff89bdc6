"""The venues by name: what each live feed is made of."""

from __future__ import annotations

from arena.config import Settings
from arena.errors import FeedError
from arena.feeds.alpaca import AlpacaFeed
from arena.feeds.base import LiveFeed
from arena.feeds.binance import FALLBACKS, WS_URL, BinanceFeed


def make_feed(name: str, settings: Settings) -> LiveFeed:
    """Return the live feed of a venue as it is configured; FeedError where it cannot be built."""
    sources = settings.data_sources
    if name == "binance":
        binance = sources.binance
        fallbacks = FALLBACKS if binance.ws_url == WS_URL else ()
        return BinanceFeed(binance.symbols, binance.ws_url, fallbacks, binance.stream)
    if name == "alpaca":
        alpaca = sources.alpaca
        return AlpacaFeed(
            alpaca.symbols, settings.alpaca_api_key.get_secret_value(), settings.alpaca_secret_key.get_secret_value(),
            feed=alpaca.feed, location=alpaca.location, prices=alpaca.prices, encoding=alpaca.encoding,
            ws_url=alpaca.ws_url,
        )  # fmt: skip
    raise FeedError(f"'{name}' is not a live feed.")

"""The venues' parsers by name: who reads a recording's frames, exactly as the feeds read them live."""

from __future__ import annotations

from arena.errors import FeedError
from arena.feeds.base import FrameParser
from arena.feeds.recording.session import RecordedFeed


def parser_for(feed: RecordedFeed) -> FrameParser:
    """Return a fresh parser of a recorded feed's payloads; FeedError where this version has none."""
    venue = feed.name.partition(":")[0]
    if venue == "binance":
        from arena.feeds.binance.frames import BinanceParser

        return BinanceParser(feed.symbols)
    if venue == "alpaca":
        from arena.feeds.alpaca.parser import AlpacaParser

        return AlpacaParser(feed.symbols, feed.options.get("prices"), feed.name)
    if venue == "manifold":
        from arena.feeds.manifold.frames import ManifoldParser

        return ManifoldParser(feed.options.get("markets") or feed.symbols)
    if venue == "stockdata":
        from arena.feeds.stockdata.wire import StockDataParser

        return StockDataParser(feed.symbols, feed.name)
    if venue == "ccxt":
        from arena.feeds.ccxt.wire import CcxtParser

        return CcxtParser(feed.name, feed.symbols)
    raise FeedError(f"The frames of the feed {feed.name} cannot be read by this version.")

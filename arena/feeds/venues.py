"""The venues by name: how the live feed and the parser of each are made.

A new venue is one entry of VENUES, a package with its feed and parser, and its settings in
`arena/data_sources.py`. Each venue's code is imported when it is used: a replay needs none of the network code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from arena.clock import CLOCK
from arena.config import Settings
from arena.errors import FeedError
from arena.feeds.base import DailyUsage, FrameParser, LiveFeed
from arena.feeds.recording.layout import RecordedFeed


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue's name for people, and the makers of its live feed and of its parser.

    `make_feed` takes the feed's name (`ccxt:kraken`), the settings and the usage of its daily budget;
    `make_parser` takes the feed as a recording describes it.
    """

    title: str
    make_feed: Callable[[str, Settings, DailyUsage | None], LiveFeed]
    make_parser: Callable[[RecordedFeed], FrameParser]


def make_feed(name: str, settings: Settings, usage: DailyUsage | None = None) -> LiveFeed:
    """Return a live feed as it is configured; FeedError where it cannot be built.

    `usage` keeps the requests of a feed with a daily budget; without it they are forgotten at the end.
    """
    venue = _venue_of(name)
    if venue is None:
        raise FeedError(f"'{name}' is not a live feed.")
    return venue.make_feed(name, settings, usage)


def parser_for(feed: RecordedFeed) -> FrameParser:
    """Return a new parser for a recorded feed; FeedError where this version has none."""
    venue = _venue_of(feed.name)
    if venue is None:
        raise FeedError(f"The frames of the feed {feed.name} cannot be read by this version.")
    return venue.make_parser(feed)


def title_of(name: str) -> str:
    """Return a feed's name for people; an exchange of ccxt has only its technical one."""
    return VENUES[name].title if name in VENUES else name


def _venue_of(name: str) -> Venue | None:
    """Return the venue of a feed; only ccxt has a name with an exchange behind a colon."""
    return VENUES["ccxt"] if name.startswith("ccxt:") else VENUES.get(name)


def _binance_feed(name: str, settings: Settings, usage: DailyUsage | None) -> LiveFeed:
    from arena.feeds.binance.feed import FALLBACKS, WS_URL, BinanceFeed

    del name, usage
    source = settings.data_sources.binance
    fallbacks = FALLBACKS if source.ws_url == WS_URL else ()
    return BinanceFeed(
        source.symbols, source.ws_url, fallbacks, source.stream, clock=CLOCK.now_ns, base_url=source.base_url
    )


def _binance_parser(feed: RecordedFeed) -> FrameParser:
    from arena.feeds.binance.parser import BinanceParser

    return BinanceParser(feed.symbols)


def _alpaca_feed(name: str, settings: Settings, usage: DailyUsage | None) -> LiveFeed:
    from arena.feeds.alpaca.feed import AlpacaFeed

    del name, usage
    source = settings.data_sources.alpaca
    return AlpacaFeed(
        source.symbols, settings.alpaca_api_key.get_secret_value(), settings.alpaca_secret_key.get_secret_value(),
        feed=source.feed, location=source.location, prices=source.prices, encoding=source.encoding,
        ws_url=source.ws_url, base_url=source.base_url, clock=CLOCK.now_ns,
    )  # fmt: skip


def _alpaca_parser(feed: RecordedFeed) -> FrameParser:
    from arena.feeds.alpaca.parser import AlpacaParser

    return AlpacaParser(feed.symbols, feed.options.get("prices"), feed.name)


def _manifold_feed(name: str, settings: Settings, usage: DailyUsage | None) -> LiveFeed:
    from arena.feeds.manifold.feed import ManifoldFeed

    del name, usage
    source = settings.data_sources.manifold
    return ManifoldFeed(source.markets, source.poll_seconds, source.base_url, source.ws_url, clock=CLOCK.now)


def _manifold_parser(feed: RecordedFeed) -> FrameParser:
    from arena.feeds.manifold.parser import ManifoldParser

    return ManifoldParser(feed.options.get("markets") or feed.symbols)


def _stockdata_feed(name: str, settings: Settings, usage: DailyUsage | None) -> LiveFeed:
    from arena.feeds.stockdata.budget import EXTENDED, REGULAR
    from arena.feeds.stockdata.feed import StockDataFeed

    del name
    source = settings.data_sources.stockdata
    return StockDataFeed(
        source.symbols, settings.stockdata_api_key.get_secret_value(), source.base_url,
        poll_seconds=source.poll_seconds, daily_requests=source.daily_requests,
        symbols_per_request=source.symbols_per_request,
        hours=EXTENDED if source.extended_hours else REGULAR, usage=usage, clock=CLOCK.now,
    )  # fmt: skip


def _stockdata_parser(feed: RecordedFeed) -> FrameParser:
    from arena.feeds.stockdata.parser import StockDataParser

    return StockDataParser(feed.symbols, feed.name)


def _ccxt_feed(name: str, settings: Settings, usage: DailyUsage | None) -> LiveFeed:
    from arena.feeds.ccxt.feed import CcxtFeed

    del usage
    source, exchange = settings.data_sources.ccxt, name.partition(":")[2]
    if not exchange:
        raise FeedError(f"'{name}' is not a live feed.")
    return CcxtFeed(exchange, source.symbols, source.poll_seconds, base_url=source.base_url, clock=CLOCK.now)


def _ccxt_parser(feed: RecordedFeed) -> FrameParser:
    from arena.feeds.ccxt.parser import CcxtParser

    return CcxtParser(feed.name, feed.symbols)


VENUES = {
    "binance": Venue("Binance", _binance_feed, _binance_parser),
    "alpaca": Venue("Alpaca", _alpaca_feed, _alpaca_parser),
    "manifold": Venue("Manifold", _manifold_feed, _manifold_parser),
    "stockdata": Venue("StockData.org", _stockdata_feed, _stockdata_parser),
    "ccxt": Venue("ccxt", _ccxt_feed, _ccxt_parser),
}

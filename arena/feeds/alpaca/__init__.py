"""Live prices from Alpaca: US stocks and crypto pairs; a free key is needed."""

from arena.feeds.alpaca.connection import AlpacaTiming
from arena.feeds.alpaca.feed import WS_URL, AlpacaFeed
from arena.feeds.alpaca.parser import AlpacaParser

__all__ = ["WS_URL", "AlpacaFeed", "AlpacaParser", "AlpacaTiming"]

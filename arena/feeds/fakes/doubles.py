"""The doubles by name, with symbols that suit each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arena.feeds.fakes.alpaca_double import AlpacaDouble
from arena.feeds.fakes.binance_double import BinanceDouble
from arena.feeds.fakes.faults import Double
from arena.feeds.fakes.manifold_double import ManifoldDouble
from arena.feeds.fakes.stockdata_double import StockDataDouble

_KINDS: dict[str, tuple[Callable[..., Double], tuple[str, ...]]] = {
    "binance": (BinanceDouble, ("BTCUSDT", "ETHUSDT")),
    "alpaca": (AlpacaDouble, ("AAPL", "BTC/USD")),
    "manifold": (ManifoldDouble, ("will-it-rain", "will-it-snow")),
    "stockdata": (StockDataDouble, ("SPY", "QQQ")),
}
NAMES = tuple(_KINDS)


def double_of(name: str, symbols: Sequence[str] = (), *, seed: int = 1, port: int = 0) -> Double:
    """Return a venue's double; without `symbols` it has some of its own."""
    make, usual = _KINDS[name]
    return make(tuple(symbols) or usual, seed=seed, port=port)

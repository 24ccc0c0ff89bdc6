"""The settings of the market data sources, as `[data_sources.NAME]` in arena.toml or in the environment."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

KNOWN_SOURCES = ("binance", "alpaca", "manifold", "stockdata", "ccxt")


class _Source(BaseModel):
    """Settings that every source has: whether it is enabled, and its REST and WebSocket addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    base_url: str = ""
    ws_url: str = ""


class BinanceSource(_Source):
    """Binance spot; `stream` is trade or miniTicker."""

    enabled: bool = True
    symbols: list[str] = ["BTCUSDT", "ETHUSDT"]
    stream: Literal["trade", "miniTicker"] = "trade"
    base_url: str = "https://data-api.binance.vision"
    ws_url: str = "wss://data-stream.binance.vision"


class AlpacaSource(_Source):
    """Alpaca stocks, from `feed`, and crypto pairs (BTC/USD), from `location`; `prices` is what sets the price."""

    symbols: list[str] = ["AAPL", "TSLA", "GOOGL"]
    feed: Literal["iex", "sip", "delayed_sip", "test"] = "iex"
    location: Literal["us", "us-1", "eu-1"] = "us"
    prices: Literal["trades", "quotes", "bars"] = "trades"
    encoding: Literal["json", "msgpack"] = "msgpack"
    base_url: str = "https://data.alpaca.markets"
    ws_url: str = "wss://stream.data.alpaca.markets"


class ManifoldSource(_Source):
    """Manifold prediction markets, by id or slug; probabilities are also polled every `poll_seconds`."""

    markets: list[str] = []
    poll_seconds: float = Field(60.0, ge=1)
    base_url: str = "https://api.manifold.markets"
    ws_url: str = "wss://api.manifold.markets/ws"


class StockdataSource(_Source):
    """StockData.org quotes, polled every `poll_seconds` or less often where the daily budget requires it."""

    symbols: list[str] = ["SPY", "QQQ"]
    poll_seconds: float = Field(10.0, ge=1)
    daily_requests: int = Field(100, ge=1)
    symbols_per_request: int = Field(3, ge=1)
    extended_hours: bool = False
    base_url: str = "https://api.stockdata.org"


class CcxtSource(_Source):
    """Any exchange that the package ccxt supports, by its name there; polled every `poll_seconds`."""

    exchange: str = ""
    symbols: list[str] = ["BTC/USDT", "ETH/USDT"]
    poll_seconds: float = Field(2.0, gt=0)


class DataSources(BaseModel):
    """The settings of all sources; `FEED` chooses among them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    binance: BinanceSource = BinanceSource()
    alpaca: AlpacaSource = AlpacaSource()
    manifold: ManifoldSource = ManifoldSource()
    stockdata: StockdataSource = StockdataSource()
    ccxt: CcxtSource = CcxtSource()

    def symbols_of(self, name: str) -> list[str]:
        """Return the symbols of a source, for Manifold its markets."""
        source = getattr(self, name)
        return list(source.markets if name == "manifold" else source.symbols)

    def enabled(self) -> dict[str, list[str]]:
        """Return the symbols of every enabled source by its name."""
        return {name: self.symbols_of(name) for name in KNOWN_SOURCES if getattr(self, name).enabled}

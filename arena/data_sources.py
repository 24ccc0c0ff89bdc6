"""The settings of the market data sources, as `[data_sources.NAME]` in arena.toml or in the environment."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

KNOWN_SOURCES = ("binance", "alpaca", "manifold", "stockdata")


class _Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = False
    base_url: str = ""
    ws_url: str = ""


class BinanceSource(_Source):
    """Binance spot; `stream` is trade or miniTicker."""

    enabled: bool = True
    symbols: list[str] = ["BTCUSDT", "ETHUSDT"]
    stream: str = "trade"
    base_url: str = "https://data-api.binance.vision"
    ws_url: str = "wss://data-stream.binance.vision"


class AlpacaSource(_Source):
    """Alpaca stocks and crypto."""

    symbols: list[str] = ["AAPL", "TSLA", "GOOGL"]
    base_url: str = "https://data.alpaca.markets"
    ws_url: str = "wss://stream.data.alpaca.markets"


class ManifoldSource(_Source):
    """Manifold prediction markets, by id or slug."""

    markets: list[str] = []
    base_url: str = "https://api.manifold.markets"
    ws_url: str = "wss://api.manifold.markets/ws"


class StockdataSource(_Source):
    """StockData.org quotes, polled every `poll_seconds` within the daily budget."""

    symbols: list[str] = ["SPY", "QQQ"]
    poll_seconds: float = 10.0
    base_url: str = "https://api.stockdata.org"


class DataSources(BaseModel):
    """The four sources of the guide."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    binance: BinanceSource = BinanceSource()
    alpaca: AlpacaSource = AlpacaSource()
    manifold: ManifoldSource = ManifoldSource()
    stockdata: StockdataSource = StockdataSource()

    def enabled(self) -> dict[str, list[str]]:
        """Return the symbols of every enabled source by its name."""
        found = {}
        for name in KNOWN_SOURCES:
            source = getattr(self, name)
            if source.enabled:
                found[name] = list(source.markets if name == "manifold" else source.symbols)
        return found

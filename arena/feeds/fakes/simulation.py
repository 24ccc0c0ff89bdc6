"""One interface to every fake venue: the prices it sends, and the faults it makes on request.

    async with make_simulation("binance", ["BTCUSDT"], seed=1) as simulation:
        feed = simulation.connector()
        await simulation.publish("BTCUSDT")
        await simulation.faults["close"]()

Prices are a random walk in which no two of a symbol are equal, and each price holds its own number. So a test
can tell whether a price was ever sent, and which of two is newer.
"""

from __future__ import annotations

import importlib
import random
from abc import ABC, abstractmethod
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from arena.feeds.base import FrameParser, LiveFeed
from arena.feeds.synthetic import SyntheticMarket

Fault = Callable[[], Awaitable[None]]

_NUMBERS = 1_000_000
_DIGITS = 6

# By venue: its module and class, and symbols that suit it.
_SIMULATIONS = {
    "binance": ("arena.feeds.fakes.binance", "BinanceSimulation", ("BTCUSDT", "ETHUSDT")),
    "alpaca": ("arena.feeds.fakes.alpaca", "AlpacaSimulation", ("AAPL", "BTC/USD")),
    "manifold": ("arena.feeds.fakes.manifold", "ManifoldSimulation", ("will-it-rain", "will-it-snow")),
    "stockdata": ("arena.feeds.fakes.stockdata", "StockDataSimulation", ("SPY", "QQQ")),
}
NAMES = tuple(_SIMULATIONS)


class PriceWalk:
    """Reproducible prices; the last six decimals are the number of a price within its symbol.

    Each step is a small fraction of the price. `withdrawn` holds the symbol and number of each price that the
    venue has corrected or cancelled.
    """

    def __init__(self, symbols: Sequence[str], seed: int, *, decimals: int = 2) -> None:
        self._random = random.Random(seed)
        self._decimals = decimals
        self._values = dict(SyntheticMarket(seed, list(symbols), 1.0).first())
        self.made = {symbol: array("d") for symbol in symbols}
        self.withdrawn: set[tuple[str, int]] = set()

    def next(self, symbol: str) -> float:
        """Return the symbol's next price."""
        self._values[symbol] = self._step(self._values[symbol])
        made = self.made[symbol]
        price = float(f"{self._values[symbol]:.{self._decimals}f}{len(made) % _NUMBERS:0{_DIGITS}d}")
        made.append(price)
        return price

    def number(self, symbol: str, price: float) -> int | None:
        """Return which of the symbol's prices this is, None if it is none of them."""
        made = self.made[symbol]
        number: int = round(price * 10 ** (self._decimals + _DIGITS)) % _NUMBERS
        # Numbers repeat after a million prices: the newest possible one counts.
        number += (len(made) - 1 - number) // _NUMBERS * _NUMBERS
        return number if 0 <= number < len(made) and made[number] == price else None

    def _step(self, value: float) -> float:
        return value * (1.0 + self._random.gauss(0.0, 2e-4))


class ProbabilityWalk(PriceWalk):
    """Probabilities between 0.05 and 0.95, which move by hundredths."""

    def __init__(self, symbols: Sequence[str], seed: int) -> None:
        super().__init__(symbols, seed, decimals=4)
        self._values = dict.fromkeys(symbols, 0.5)

    def _step(self, value: float) -> float:
        return min(max(value + self._random.gauss(0.0, 0.01), 0.05), 0.95)


class FakeServer(Protocol):
    """The fake venue of a simulation, an asynchronous context manager."""

    async def __aenter__(self) -> Self:
        """Listen."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""


class VenueSimulation(ABC):
    """A fake venue with a price walk and faults; use it as an asynchronous context manager.

    Of its `faults`, those in `lasting` go on until `restore`.
    """

    name: str
    lasting: frozenset[str]
    faults: Mapping[str, Fault]

    def __init__(self, server: FakeServer, walk: PriceWalk) -> None:
        self.walk = walk
        self._server = server

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """Return the settings that point an arena at this venue."""

    @abstractmethod
    def connector(self) -> LiveFeed:
        """Return the venue's live feed, pointed here, with short delays."""

    @abstractmethod
    def parser(self) -> FrameParser:
        """Return a new parser of what the connector receives."""

    @abstractmethod
    async def subscribed(self) -> None:
        """Wait until a connector will receive every price."""

    @abstractmethod
    async def publish(self, symbol: str) -> float:
        """Send the symbol's next price to the connections that want it, and return it."""

    @abstractmethod
    async def mute(self) -> None:
        """Leave connections and requests open and send nothing more."""

    @abstractmethod
    async def restore(self) -> None:
        """End every lasting fault."""

    @abstractmethod
    async def refuse_for_good(self) -> None:
        """Refuse the next attempts permanently."""


def make_simulation(name: str, symbols: Sequence[str] = (), *, seed: int = 1, port: int = 0) -> VenueSimulation:
    """Return the simulation of a venue; without `symbols` it has some of its own."""
    module, kind, usual = _SIMULATIONS[name]
    simulation: VenueSimulation = getattr(importlib.import_module(module), kind)(
        tuple(symbols) or usual, seed=seed, port=port
    )
    return simulation

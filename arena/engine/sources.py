"""Where the clock gets a beat's prices from: the synthetic market, live feeds, or a recording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from arena.engine.player import Market
from arena.feeds.live import LiveMarket
from arena.feeds.synthetic import SyntheticMarket


class Source(Protocol):
    """A market that can be asked for its prices at a beat."""

    symbols: tuple[str, ...]

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Return the prices of tick n at `time`; `previous` are those of tick n - 1."""

    def stale(self, time: float) -> frozenset[str]:
        """Return the symbols whose price is too old to trade at."""

    def status(self) -> dict[str, Any]:
        """Return how the source is doing, for a status page."""


class SyntheticSource:
    """The seeded synthetic market: each tick follows from its number and the one before."""

    def __init__(self, market: SyntheticMarket) -> None:
        self._market = market
        self.symbols = tuple(market.symbols)

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Step the market."""
        del time
        return self._market.next(n, previous) if n > 0 and previous else self._market.first()

    def stale(self, time: float) -> frozenset[str]:
        """Return nothing: made-up prices are always fresh."""
        del time
        return frozenset()

    def status(self) -> dict[str, Any]:
        """Return its state."""
        return {"synthetic": {"state": "live", "detail": "made-up prices, seeded"}}


class LiveSource:
    """What the live feeds have told so far."""

    def __init__(self, market: LiveMarket, symbols: tuple[str, ...], stale_seconds: float) -> None:
        self._market = market
        self.symbols = symbols
        self._limit = max(stale_seconds, 0.0)

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Return the last price of every symbol that has arrived by `time`."""
        del n, previous
        return self._market.prices_at(time)

    def stale(self, time: float) -> frozenset[str]:
        """Return the symbols of which nothing has been heard for too long."""
        return frozenset(s for s in self.symbols if self._market.age(s, time) > self._limit)

    def status(self) -> dict[str, Any]:
        """Return the feeds' states."""
        return self._market.status()


class ReplaySource:
    """A recorded market, tick by tick."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.symbols = market.symbols

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Return the recorded prices of tick n."""
        del time, previous
        return self.market.prices(n)

    def stale(self, time: float) -> frozenset[str]:
        """Return nothing: a recording is what it is."""
        del time
        return frozenset()

    def status(self) -> dict[str, Any]:
        """Return its state."""
        return {"replay": {"state": "live", "detail": f"{len(self.market):,} recorded ticks"}}


def next_beat(now: float, interval: float) -> float:
    """Return the first grid time after `now`: a multiple of the interval since the epoch."""
    return (math.floor(now / interval) + 1) * interval


@dataclass(slots=True)
class MarketState:
    """The market as of the last tick."""

    n: int = -1
    time: float = 0.0
    prices: dict[str, float] = field(default_factory=dict)
    last_prices: dict[str, float] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    version: int = 0

    def admit_symbols(self, prices: dict[str, float]) -> None:
        """Widen the symbol table where a new symbol has got a price."""
        new = [symbol for symbol in prices if symbol not in self.last_prices]
        if new:
            self.symbols = tuple(sorted({*self.symbols, *new}))
            self.version += 1

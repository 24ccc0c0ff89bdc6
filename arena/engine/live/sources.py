"""The markets that a season can run on: synthetic, live feeds, or a recording."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Protocol

from arena.core.exchange import USUAL, Conditions
from arena.engine.backtest.market import RecordedMarket, halted
from arena.engine.live.pacing import Beats, LiveBeats, ReplayBeats
from arena.engine.state import MarketState
from arena.feeds.live import LiveMarket
from arena.feeds.synthetic import SyntheticMarket


class TickSource(Protocol):
    """A market with its own clock.

    `beats` say when its ticks are. `deadline` is how many seconds of a tick bots have to answer, None where only
    their CPU time counts. A source that `waits_for_bots` begins when those that should play from the start are in.
    """

    symbols: tuple[str, ...]
    beats: Beats
    deadline: float | None
    waits_for_bots: bool

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Return the prices of tick n at `time`; `previous` are those of tick n - 1."""

    def conditions(self, time: float, market: MarketState) -> Conditions:
        """Return what else there is to know about the tick at `time`; `market` is as of the tick before."""

    def status(self) -> dict[str, Any]:
        """Return how the source is doing, for a status page."""


def live_deadline(interval: float) -> float:
    """Return the seconds of a tick that bots have to answer in a market that runs in real time."""
    return min(0.5 * interval, 1.0)


class SyntheticSource:
    """The seeded synthetic market: each tick follows from its number and the one before."""

    waits_for_bots = False

    def __init__(self, market: SyntheticMarket, *, predictable: bool = False) -> None:
        self.beats: Beats = LiveBeats(market.interval)
        self.deadline: float | None = live_deadline(market.interval)
        self._market = market
        self._predictable = predictable
        self.symbols = tuple(market.symbols)

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Step the market."""
        del time
        return self._market.next(n, previous) if n > 0 and previous else self._market.first()

    def conditions(self, time: float, market: MarketState) -> Conditions:
        """Return nothing: made-up prices are always fresh."""
        del time, market
        return USUAL

    def status(self) -> dict[str, Any]:
        """Return its state."""
        more = "; predictable, since the seed is set by SYNTHETIC_SEED" if self._predictable else ""
        return {"synthetic": {"state": "live", "detail": f"made-up prices, seeded{more}"}}


class LiveSource:
    """The newest prices of the live feeds; ticks come every `interval` seconds."""

    waits_for_bots = False

    def __init__(self, market: LiveMarket, symbols: tuple[str, ...], interval: float, delay_ticks: int = 1) -> None:
        """Prepare; `delay_ticks` is how many ticks an order waits."""
        self.beats: Beats = LiveBeats(interval)
        self.deadline: float | None = live_deadline(interval)
        self._market = market
        self._interval = interval
        self._delay = delay_ticks
        self._gap = 0.0  # seconds of the last gap
        self._gap_until = -1  # the last tick at which an order of before it is due
        self.symbols = symbols

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Return the last price of every symbol that has arrived by `time`."""
        del n, previous
        return self._market.prices_at(time)

    def conditions(self, time: float, market: MarketState) -> Conditions:
        """Return what has ended since the last tick, and what cannot be traded.

        That is what is halted, stale or of a closed market, and after a gap everything that was ordered before it.
        """
        found = self._market.resolutions_at(time)
        ended = {name: end.price for name, end in found.items() if name not in market.ended}
        barred = {name: f"Market {name} has ended. {found[name].detail}".rstrip() for name in ended}
        waited = self._waited(time, market)
        for name, news in self._market.freshness(time).items():
            if name in found:
                continue
            if news.halted:
                barred[name] = halted(name, news.halted)
            elif not news.fresh:
                what = "is stale" if news.open else "is not new: its market is closed"
                barred[name] = f"Price of {name} {what} (nothing heard for {news.age:.0f} s)"
            elif waited > news.limit:
                barred[name] = f"Order on {name} waited across a gap of {waited:.0f} s"
        return Conditions(barred, ended)

    def _waited(self, time: float, market: MarketState) -> float:
        """Return the seconds of the gap that lies between now and the orders that are due."""
        if market.n < 0:
            return 0.0
        here = time - market.time - self._interval
        if here > 0 and (here >= self._gap or market.n >= self._gap_until):
            self._gap, self._gap_until = here, market.n + self._delay
        return self._gap if market.n < self._gap_until else here

    def status(self) -> dict[str, Any]:
        """Return the feeds' states."""
        return self._market.status()


class ReplaySource:
    """A recorded market, tick by tick; `speed` is in times real time, 0 for as fast as it can."""

    waits_for_bots = True

    def __init__(self, market: RecordedMarket, speed: float = 0.0) -> None:
        self.beats: Beats = ReplayBeats(market, speed)
        self.deadline: float | None = None
        self.market = market
        self.speed = speed
        self.symbols = market.symbols

    def prices_at(self, n: int, time: float, previous: Mapping[str, float]) -> dict[str, float]:
        """Return the recorded prices of tick n."""
        del time, previous
        return self.market.prices(n)

    def usual_ticks(self, first: int, end: int, known: Collection[str]) -> Iterator[tuple[float, dict[str, float]]]:
        """Yield time and prices of ticks from `first` on, before `end` and before the next one that is not usual.

        One is not that has conditions, no price, or the first price of a symbol that is not `known`.
        """
        market = self.market
        for n in range(first, min(end, len(market))):
            prices = market.prices(n)
            if n in market.conditions or not prices or not prices.keys() <= set(known):
                return
            yield market.time(n), prices

    def conditions(self, time: float, market: MarketState) -> Conditions:
        """Return the recorded ones: a recording is what it is, and nothing in it is stale."""
        del time
        return self.market.conditions.get(market.n + 1, USUAL)

    def status(self) -> dict[str, Any]:
        """Return its state."""
        pace = f", at {self.speed:g} times real time" if self.speed else ""
        return {"replay": {"state": "live", "detail": f"{len(self.market):,} recorded ticks{pace}"}}

"""Made-up markets that try one thing each: both triggers, calm, trends, a crash, gaps, missing prices.

Every tape is the same each time. A scale that is a power of two changes no digit of a price, so that a bot which
looks at ratios only does the same on the tiny and the huge tape as on the one they are made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from arena.engine.backtest.market import RecordedMarket

Prices = npt.NDArray[np.float64]

TINY, HUGE = 2.0**-20, 2.0**20
# A Monday, 00:00 UTC, so that hours and weekdays are all met by the tape of a week.
_START = 1_704_067_200.0
_QUARTER = 900.0
_WEEK_TICKS = 8 * 24 * 4
_LONGEST = 2400
_USUAL_WARM_UP = 60
# Changes of the price on the way from one turning point to the next.
_SWINGS = (-0.01, 0.02, -0.04, 0.05, -0.08, 0.1, -0.06, 0.03, -0.03, 0.08, -0.1, 0.06)


@dataclass(frozen=True, slots=True)
class Tape:
    """A market with a name; `usual` says that nothing on it is out of the ordinary."""

    name: str
    market: RecordedMarket
    usual: bool = True

    def __len__(self) -> int:
        return len(self.market)


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """What tapes are made for: the symbols with their prices now, seconds a tick, the bot's warm-up in ticks.

    `levels` are prices that the bot watches, of its first symbol.
    """

    symbols: tuple[str, ...]
    prices: Mapping[str, float]
    interval: float = 1.0
    warm_up: int = _USUAL_WARM_UP
    levels: tuple[float, ...] = ()
    extra: tuple[str, ...] = field(default=("OTHERUSDT",))

    def base(self, symbol: str) -> float:
        """Return the price a symbol's tapes begin at."""
        return self.prices.get(symbol) or (60_000.0 if symbol.startswith("BTC") else 3_000.0 if symbol[:3] == "ETH"
                                           else 100.0)  # fmt: skip


def tapes_for(spec: MarketSpec) -> list[Tape]:
    """Return the tapes for a market; the swings come first, which trigger what bots usually wait for."""
    length = min(max(spec.warm_up, 20), _LONGEST // 4)
    swings = _swings(spec, length)
    made = [
        Tape("swings", swings),
        Tape("calm", _market(spec, 3 * length, lambda n, rng: _noise(n, rng, 0.0002))),
        Tape("trend up", _market(spec, 3 * length, lambda n, rng: np.arange(n) * 0.001 + _noise(n, rng, 0.0005))),
        Tape("trend down", _market(spec, 3 * length, lambda n, rng: np.arange(n) * -0.001 + _noise(n, rng, 0.0005))),
        Tape("crash", _market(spec, 3 * length, _crash), usual=False),
        Tape("gap", _market(spec, 3 * length, _gaps)),
        Tape("missing symbol", _without(spec, swings), usual=False),
        Tape("flat", _market(spec, 2 * length, lambda n, _: np.zeros(n)), usual=False),
        Tape("tiny prices", _scaled(swings, TINY), usual=False),
        Tape("huge prices", _scaled(swings, HUGE), usual=False),
        Tape("late start", _late(swings, length), usual=False),
    ]
    if spec.levels:
        made.append(Tape("levels", _levels(spec)))
    return made


def week(spec: MarketSpec) -> Tape:
    """Return a tape of a week and a day in steps of 15 minutes, for bots that look at the clock or build bars."""

    def path(n: int, rng: np.random.Generator) -> Prices:
        return 0.06 * np.sin(np.arange(n) / 17.0) + _noise(n, rng, 0.002)

    return Tape("week", _market(spec, _WEEK_TICKS, path, interval=max(_QUARTER, spec.interval)))


def busy_week(spec: MarketSpec) -> Tape:
    """Return such a week whose price turns every hour, for bots that act at few hours and on a signal besides."""

    def path(n: int, rng: np.random.Generator) -> Prices:
        return 0.03 * np.sin(np.arange(n) / 1.3) + _noise(n, rng, 0.001)

    return Tape("busy week", _market(spec, _WEEK_TICKS, path, interval=max(_QUARTER, spec.interval)))


def slow(spec: MarketSpec, ticks: int = 4 * _LONGEST) -> Tape:
    """Return a long tape of the season's own interval with large swings, for bots that are slow to act."""

    def path(n: int, rng: np.random.Generator) -> Prices:
        return 0.15 * np.sin(np.arange(n) / 300.0) + 0.03 * np.sin(np.arange(n) / 40.0) + _noise(n, rng, 0.001)

    return Tape("long swings", _market(spec, ticks, path))


def _noise(n: int, rng: np.random.Generator, size: float) -> Prices:
    return np.asarray(rng.normal(0.0, size, n))


def _market(
    spec: MarketSpec, n: int, path: Callable[[int, np.random.Generator], Prices], interval: float | None = None
) -> RecordedMarket:
    """Return a market whose logarithmic prices follow a path; every other symbol follows it mirrored and weaker."""
    columns = [_START + np.arange(n) * (interval or spec.interval)]
    for number, symbol in enumerate(spec.symbols):
        rng = np.random.default_rng(7 + number)
        along = path(n, rng) * (1.0, -0.6, 0.7, -0.4)[number % 4]
        columns.append(spec.base(symbol) * np.exp(along))
    return RecordedMarket(spec.symbols, np.column_stack(columns))


def _swings(spec: MarketSpec, length: int) -> RecordedMarket:
    # Both short moves and moves as long as the look-back: an indicator of any length meets one that turns it.
    legs = [(change, max(6, length // share)) for share in (3, 1) for change in _SWINGS]
    total = min(2 * length + sum(ticks for _, ticks in legs), _LONGEST)

    def path(n: int, rng: np.random.Generator) -> Prices:
        steps = [np.zeros(length + length // 2)]
        steps += [np.full(ticks, change / ticks) for change, ticks in legs]
        drift = np.concatenate(steps)
        drift = np.pad(drift, (0, max(0, n - len(drift))))[:n]
        return np.asarray(np.cumsum(drift) + _noise(n, rng, 0.0004))

    return _market(spec, total, path)


def _crash(n: int, rng: np.random.Generator) -> Prices:
    path = _noise(n, rng, 0.0004)
    third = n // 3
    path[third:] += -0.5 * np.minimum(1.0, np.arange(n - third) / 10.0)
    path[2 * third :] += 0.4 * np.minimum(1.0, np.arange(n - 2 * third) / 20.0)
    return path


def _gaps(n: int, rng: np.random.Generator) -> Prices:
    path = _noise(n, rng, 0.0004)
    for place, change in ((0.35, 0.08), (0.5, -0.1), (0.65, -0.06), (0.8, 0.09)):
        path[int(n * place) :] += change
    return path


def _scaled(market: RecordedMarket, factor: float) -> RecordedMarket:
    rows = market.rows.copy()
    rows[:, 1:] *= factor
    return RecordedMarket(market.symbols, rows)


def _without(spec: MarketSpec, market: RecordedMarket) -> RecordedMarket:
    """Return the market with each symbol missing for a while, beside one that always has a price."""
    rows = np.column_stack([market.rows, np.full(len(market), 10.0)])
    quarter = len(market) // 4
    for column in range(1, 1 + len(market.symbols)):
        start = quarter + (column - 1) * quarter // max(1, len(market.symbols))
        rows[start : start + max(4, quarter // 4), column] = np.nan
    return RecordedMarket((*market.symbols, *spec.extra[:1]), rows)


def _late(market: RecordedMarket, length: int) -> RecordedMarket:
    """Return the market with its symbols coming one after the other."""
    rows = np.column_stack([market.rows, np.full(len(market), 10.0)])
    for column in range(1, 1 + len(market.symbols)):
        rows[: min(length * column, len(market) // 2), column] = np.nan
    return RecordedMarket((*market.symbols, "OTHERUSDT"), rows)


def _levels(spec: MarketSpec) -> RecordedMarket:
    """Return prices that pass every watched level from both sides twice."""
    low, high = min(spec.levels) * 0.97, max(spec.levels) * 1.03
    middle, half = (low + high) / 2, (high - low) / 2
    n = 4 * max(spec.warm_up, 100)
    path = middle + half * np.sin(np.arange(n) / n * 2 * np.pi * 2.5)
    columns = [_START + np.arange(n) * spec.interval]
    columns += [path if number == 0 else np.full(n, spec.base(s)) for number, s in enumerate(spec.symbols)]
    return RecordedMarket(spec.symbols, np.column_stack(columns))


def cut(market: RecordedMarket, ticks: int, changed: Mapping[int, Sequence[float] | Prices]) -> RecordedMarket:
    """Return the first ticks of a market with the prices of some replaced."""
    rows = market.rows[:ticks].copy()
    for n, prices in changed.items():
        rows[n, 1:] = prices
    return RecordedMarket(market.symbols, rows)

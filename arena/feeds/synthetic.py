"""A made-up market that any machine can run, without network or key.

Nothing here imitates a real day: the prices are synthetic, and everything that shows them says so.
What they share with real ones is what bots react to: one market that moves all symbols together,
trends and quiet and stormy minutes, volatility that comes in clusters, now and then a jump, and a
gentle pull back to where each symbol began.

Rules kept here:
- The prices of tick n follow from the seed, n and the prices of tick n-1 alone. Regime and
  volatility are functions of the seed and a block number, so a restart needs the last tick only.
- The prices do not tell the seed: each draw is a keyed hash (BLAKE2b) of its own number, so none tells of another,
  unlike a random-number generator whose state can be computed back from what it has put out.
- A symbol's prices do not depend on which other symbols are present.
- Only hashing and the four operations of IEEE doubles are used: no random-number stream and no
  mathematical library that could differ between Python versions or machines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

# What one whole coin or share costs at tick 0, in dollars.
_STARTS = {
    "BTC": 69_000.0, "ETH": 3_450.0, "BNB": 590.0, "SOL": 152.0, "XRP": 0.55, "ADA": 0.42,
    "DOGE": 0.125, "AVAX": 28.0, "DOT": 6.2, "LINK": 14.5, "LTC": 78.0, "TRX": 0.13,
    "AAPL": 226.0, "MSFT": 428.0, "GOOGL": 178.0, "GOOG": 179.5, "AMZN": 188.0, "NVDA": 124.0,
    "META": 512.0, "TSLA": 248.0, "AMD": 156.0, "SPY": 562.0, "QQQ": 481.0, "IWM": 219.0,
}  # fmt: skip
_DOLLARS = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD")
_LOUDNESS = {"BTC": 1.0, "ETH": 1.2, "SPY": 0.75, "QQQ": 0.85}

_BASE_SIGMA = 1.75e-4  # times sqrt(seconds); regimes and clusters lift the effective one to 2-3 bp
_MAX_SIGMA = 0.015  # intervals of an hour and more would else make swings no band could hold
_PULL_SECONDS = 43_200.0
_MAX_PULL = 0.2
_MAX_STEP = 0.05
_MARKET_WEIGHT, _OWN_WEIGHT = 0.72, 0.694  # squares add up to 1: correlation about one half
_REGIME_SECONDS, _MIN_REGIME_TICKS = 240.0, 60
_CLUSTERS = (17, 140)  # ticks between two volatility levels
_MARKET_JUMP, _OWN_JUMP = 1 / 2400, 1 / 1200  # chance in a tick

_DRAWS = Struct("<12HI")


class _Regime(NamedTuple):
    """A few minutes' mood: drift in standard deviations a tick, and loudness."""

    drift: float
    loudness: float


_REGIMES = (_Regime(0.09, 1.0), _Regime(-0.09, 1.0), _Regime(0.0, 0.55), _Regime(0.0, 1.7))


class _Mood(NamedTuple):
    """What all symbols share at one tick."""

    move: float
    loudness: float


class _Symbol(NamedTuple):
    """What is fixed about a symbol: where it starts, its loudness, its tick size, its stream."""

    start: float
    sigma: float
    decimals: int
    tick: float
    stream: blake2b


class SyntheticMarket:
    """A seeded market of any symbols; `interval` is the length of a tick in seconds, above 0.

    BTCUSDT starts near 69,000 and ETHUSDT near 3,450 whatever the seed; an unknown symbol starts
    at a price that depends on its name alone.
    """

    def __init__(self, seed: int | str, symbols: Sequence[str], interval: float) -> None:
        if not (math.isfinite(interval) and interval > 0.0):
            raise ValueError(f"The interval must be above 0 seconds, not {interval!r}.")
        self.symbols = tuple(dict.fromkeys(symbols))
        self._market = _stream(seed, "market", "")
        self._levels = _stream(seed, "levels", "")
        self.interval = interval
        self._regime_ticks = max(_MIN_REGIME_TICKS, round(_REGIME_SECONDS / interval))
        self._pull = min(interval / _PULL_SECONDS, _MAX_PULL)
        # `**` calls the C library's pow; sqrt is the one root that IEEE rounds exactly.
        sigma = min(_BASE_SIGMA * math.sqrt(interval), _MAX_SIGMA)
        self._of = {name: _symbol(seed, name, sigma) for name in self.symbols}
        self._level = lru_cache(maxsize=256)(self._draw_level)

    def first(self) -> dict[str, float]:
        """Return the prices of tick 0."""
        return {name: symbol.start for name, symbol in self._of.items()}

    def next(self, n: int, previous: Mapping[str, float]) -> dict[str, float]:
        """Return the prices of tick `n` (at least 1) from those of the tick before it.

        A symbol that `previous` lacks begins at its start price; names that are not of this market
        are left out.
        """
        if n < 1:
            raise ValueError(f"Tick {n} has no tick before it.")
        mood = self._mood(n)
        return {name: self._step(symbol, n, previous.get(name), mood) for name, symbol in self._of.items()}

    def _step(self, symbol: _Symbol, n: int, before: float | None, mood: _Mood) -> float:
        if before is None or not (math.isfinite(before) and before > 0.0):
            return symbol.start
        own = _OWN_WEIGHT * _draw(symbol.stream, n, _OWN_JUMP)
        away = before / symbol.start - 1.0
        # The cube keeps even a long run of trends inside the band; close by it is not felt.
        pull = self._pull * away * (1.0 + 16.0 * away * away)
        change = symbol.sigma * mood.loudness * (mood.move + own) - pull
        price = before * (1.0 + min(max(change, -_MAX_STEP), _MAX_STEP))
        return max(round(price, symbol.decimals), symbol.tick)

    def _mood(self, n: int) -> _Mood:
        regime = self._regime(n)
        loudness = regime.loudness
        for length in _CLUSTERS:
            block, offset = divmod(n, length)
            left, right = self._level(length, block), self._level(length, block + 1)
            loudness *= 0.5 + 1.1 * (left + (right - left) * offset / length)
        move = _MARKET_WEIGHT * _draw(self._market, n, _MARKET_JUMP) + regime.drift
        return _Mood(move, loudness)

    def _regime(self, n: int) -> _Regime:
        """Return the regime of tick `n`; borders are shifted, so that lengths differ."""
        length = self._regime_ticks
        block, offset = divmod(n, length)
        if offset < self._level(0, block) * length * 0.6:
            block -= 1
        return _REGIMES[int(self._level(1, block) * len(_REGIMES))]

    def _draw_level(self, kind: int, block: int) -> float:
        """Return a number in [0, 1) that belongs to one block of one kind for ever."""
        return _uniform(_digest(self._levels, f"{kind}:{block}")[0])


def _stream(seed: int | str, kind: str, name: str) -> blake2b:
    return blake2b(f"{seed}|{kind}|{name}|".encode(), digest_size=_DRAWS.size)


def _digest(stream: blake2b, key: str) -> tuple[int, ...]:
    fresh = stream.copy()
    fresh.update(key.encode())
    return _DRAWS.unpack(fresh.digest())


def _uniform(sixteen_bits: int) -> float:
    return sixteen_bits / 65_536.0


def _draw(stream: blake2b, n: int, jump_chance: float) -> float:
    """Return a nearly normal number of variance 1 for tick `n`, with a rare jump on top.

    Twelve uniform numbers summed are close to normal and need no logarithm.
    """
    *uniforms, last = _digest(stream, str(n))
    value = (sum(uniforms) - 393_210.0) / 65_536.0
    chance = last / 4_294_967_296.0
    if chance < jump_chance:
        where = chance / jump_chance * 2.0 - 1.0
        value += where * 8.0 + math.copysign(6.0, where)
    return value


def _symbol(seed: int | str, name: str, sigma: float) -> _Symbol:
    base, start = _base_and_start(name)
    digest = _digest(_stream(seed, "start", name), "")
    decimals = _decimals(start)
    start = round(start * (1.0 + 0.002 * (_uniform(digest[0]) - 0.5)), decimals)
    loudness = _LOUDNESS.get(base, 1.1)
    tick = float(f"1e-{decimals}")
    return _Symbol(start, sigma * loudness, decimals, tick, _stream(seed, "own", name))


def _base_and_start(name: str) -> tuple[str, float]:
    """Return the thing a symbol is about and what it costs, also for pairs such as ETHBTC."""
    plain = "".join(letter for letter in name.upper() if letter.isalnum())
    if plain in _STARTS:
        return plain, _STARTS[plain]
    for quote, worth in [*((quote, 1.0) for quote in _DOLLARS), *_STARTS.items()]:
        base = plain.removesuffix(quote)
        if base != plain and base in _STARTS:
            return base, _STARTS[base] / worth
    spread = _uniform(_digest(_stream(0, "unknown", name), "")[0])
    return plain, 8.0 + 492.0 * spread * spread


def _decimals(price: float) -> int:
    """Return how many decimals keep a tick at or below about one hundredth of a per cent."""
    borders = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001, 0.0)
    return next(2 + i for i, low in enumerate(borders) if price >= low)

"""Made-up windows of the market that try one thing each: calm, trend, jumps, crash, halt, whipsaw, thin.

Each follows from tier, band and number alone. The `shown` band may be looked at while a bot is made; the `held-out` one
is for judging it. They are for tournaments and never for a season: their generator is no secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from arena.feeds.synthetic import SyntheticMarket

Floats = npt.NDArray[np.float64]

TIERS = ("calm", "trend", "jumps", "crash", "halt", "whipsaw", "thin")
SHOWN, HELD_OUT = "shown", "held-out"
_START = 1_704_067_200.0  # a Monday, 00:00 UTC
_INTERVAL = 60.0
_SIGMA = 1e-3  # of a tick of a minute
_COMMON, _OWN = 0.72, 0.694  # squares add up to 1


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a market: times, prices (ticks, symbols) with NaN for none, and spans in which nothing can trade."""

    tier: str
    symbols: tuple[str, ...]
    times: Floats
    prices: Floats
    halts: tuple[tuple[int, int], ...] = field(default=())


def made_window(tier: str, symbols: Sequence[str], ticks: int, band: str, number: int) -> Window:
    """Return the window of a tier; ValueError for a tier that there is not."""
    if tier not in TIERS:
        raise ValueError(f"There is no tier '{tier}'; there are {', '.join(TIERS)}.")
    digest = hashlib.sha256(f"{tier}|{band}|{number}".encode()).digest()
    chance = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    names = tuple(sorted(set(symbols)))
    common = _returns(tier, chance, ticks)
    steps = np.column_stack([_COMMON * common + _OWN * _returns(tier, chance, ticks) for _ in names])
    halts: tuple[tuple[int, int], ...] = ()
    if tier == "trend":
        steps += 0.12 * _SIGMA * float(chance.choice([-1.0, 1.0]))
    elif tier == "crash":
        at, length = int(chance.integers(ticks // 4, 3 * ticks // 4)), int(chance.integers(5, 21))
        fall = float(chance.uniform(0.15, 0.35))
        steps[at : at + length] += np.log1p(-fall) / length
        # A third of it comes back, slowly.
        back = slice(at + length, min(ticks, at + 5 * length))
        steps[back] -= np.log1p(-fall) / 3.0 / (4 * length)
    elif tier == "halt":
        lengths = chance.integers(ticks // 20, ticks // 10 + 1, 2)
        begins = [int(chance.integers(ticks // 6, ticks // 3)), int(chance.integers(ticks // 2, 3 * ticks // 4))]
        halts = tuple((begin, begin + int(length)) for begin, length in zip(begins, lengths, strict=True))
        for begin, end in halts:
            # The price stands, and goes on elsewhere.
            steps[begin:end] = 0.0
            steps[end] += float(chance.choice([-1.0, 1.0])) * float(chance.uniform(0.02, 0.05))
    steps[0] = 0.0
    started = SyntheticMarket(0, names, _INTERVAL).first()
    prices = np.array([started[name] for name in names]) * np.exp(np.cumsum(steps, axis=0))
    if tier == "thin":
        missing = chance.random(prices.shape) < 0.7
        missing[0] = False
        prices[missing] = np.nan
    times: Floats = _START + _INTERVAL * np.arange(ticks, dtype=np.float64)
    return Window(tier, names, times, np.asarray(prices, dtype=np.float64), halts)


def _returns(tier: str, chance: np.random.Generator, ticks: int) -> Floats:
    """Return log returns with fat tails and a volatility that comes in clusters."""
    loudness = chance.normal(0.0, 0.25, ticks)
    for n in range(1, ticks):
        loudness[n] += 0.95 * loudness[n - 1]
    scale = _SIGMA * np.exp(0.6 * loudness) * (0.4 if tier == "calm" else 1.0)
    # Student's t with 5 degrees of freedom, of variance 1.
    noise = chance.standard_t(5, ticks) * np.sqrt(3.0 / 5.0)
    if tier == "jumps":
        noise += (chance.random(ticks) < 1.0 / 100.0) * chance.choice([-10.0, 10.0], ticks)
    if tier == "whipsaw":
        for n in range(1, ticks):
            noise[n] -= 0.5 * noise[n - 1]
        noise *= 2.0
    found: Floats = scale * noise
    return found

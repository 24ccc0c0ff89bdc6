"""What an indicator's value is at a tick, by its textbook formula, to be found again among a bot's values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from arena.submissions.behaviour.claims import Indicator

Prices = npt.NDArray[np.float64]

_ALIASES = {
    "ema": "ema", "exponential moving average": "ema", "sma": "sma", "ma": "sma", "moving average": "sma",
    "simple moving average": "sma", "mean": "sma", "rsi": "rsi", "bollinger": "bollinger",
    "bollinger bands": "bollinger", "bbands": "bollinger", "macd": "macd", "highest": "highest", "lowest": "lowest",
    "donchian": "highest", "high": "highest", "low": "lowest", "breakout": "highest", "channel": "highest",
    "change": "change", "momentum": "change", "roc": "change", "zscore": "zscore", "z-score": "zscore",
    "z score": "zscore",
}  # fmt: skip
_CLOSE = 3e-6


def known_kind(indicator: Indicator) -> str | None:
    """Return which formula an indicator's name stands for, None where there is none here."""
    return _ALIASES.get(indicator.name.strip().lower().replace("_", " ")) if indicator.periods else None


def values_at(kind: str, period: int, prices: Prices) -> list[float]:
    """Return the values that an indicator may have after the last of these prices, one for each usual definition."""
    if len(prices) < period + 2:
        return []
    last = prices[-period:]
    match kind:
        case "ema" | "macd":
            return [_ema(prices, period)]
        case "sma":
            return [float(last.mean())]
        case "bollinger":
            return [float(last.mean()), float(last.std()), float(last.std(ddof=1)) if period > 1 else 0.0]
        case "highest":
            return [float(prices[-period - 1 : -1].max()), float(last.max())]
        case "lowest":
            return [float(prices[-period - 1 : -1].min()), float(last.min())]
        case "change":
            ratio = float(prices[-1] / prices[-1 - period])
            return [ratio - 1.0, (ratio - 1.0) * 100.0, ratio, float(prices[-1] - prices[-1 - period])]
        case "zscore":
            deviations = [d for d in (last.std(), last.std(ddof=1) if period > 1 else 0.0) if d > 0]
            return [float((prices[-1] - last.mean()) / d) for d in deviations]
        case "rsi":
            return _rsi(prices, period)
        case _:
            return []


def _ema(prices: Prices, period: int) -> float:
    share, value = 2.0 / (period + 1.0), float(prices[0])
    for price in prices[1:].tolist():
        value += share * (price - value)
    return value


def _rsi(prices: Prices, period: int) -> list[float]:
    moves = np.diff(prices)
    gains, losses = np.maximum(moves, 0.0), np.maximum(-moves, 0.0)
    gain, loss = float(gains[:period].mean()), float(losses[:period].mean())
    for up, down in zip(gains[period:].tolist(), losses[period:].tolist(), strict=True):
        gain, loss = (gain * (period - 1) + up) / period, (loss * (period - 1) + down) / period
    found = [_strength(gain, loss), _strength(float(gains[-period:].mean()), float(losses[-period:].mean()))]
    share = 2.0 / (period + 1.0)
    return [*found, _strength(_smoothed(gains, share), _smoothed(losses, share))]


def _smoothed(values: Prices, share: float) -> float:
    value = float(values[0])
    for each in values[1:].tolist():
        value += share * (each - value)
    return value


def _strength(gain: float, loss: float) -> float:
    return 100.0 if loss == 0 else 100.0 - 100.0 / (1.0 + gain / loss)


def numbers_of(trace: Mapping[str, Any]) -> dict[str, set[float]]:
    """Return every number that a traced tick showed, by where it stood: a name, an attribute, a result."""
    found: dict[str, set[float]] = {}

    def note(name: str, value: Any) -> None:
        if type(value) in {int, float}:
            found.setdefault(name, set()).add(float(value))
        elif isinstance(value, dict):
            for part, each in _parts(value):
                note(f"{name}.{part}", each)

    for name, value in {**trace["globals"], **trace["after"]}.items():
        note(name, value)
    for step in trace["steps"]:
        if step[0] == "line":
            for name, value in step[3].items():
                note(f"{step[2]}: {name}", value)
        elif step[0] == "return":
            note(f"{step[2]}()", step[3])
    return found


def _parts(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("attributes", "entries"):
        parts = value.get(key)
        if isinstance(parts, dict):
            yield from parts.items()
    last = value.get("last")
    if isinstance(last, list) and last:
        yield "last", last[-1]
        # A small tuple that a function returns holds several results.
        if value.get("type") == "tuple":
            yield from ((str(n), each) for n, each in enumerate(last))


def found_as(
    kind: str,
    period: int,
    columns: Sequence[Prices],
    ticks: Sequence[int],
    numbers: Mapping[int, Mapping[str, set[float]]],
    late: int = 0,
) -> str | None:
    """Return where an indicator's values stand at all these ticks, None where nowhere.

    `columns` are the prices of each symbol; with `late`, the values of so many ticks before.
    """  # fmt: skip
    candidates: set[str] | None = None
    for tick in ticks:
        wanted = [value for prices in columns for value in values_at(kind, period, prices[: tick + 1 - late])]
        here = {
            name for name, values in numbers.get(tick, {}).items()
            if (candidates is None or name in candidates) and any(_same(v, w) for v in values for w in wanted)
        }  # fmt: skip
        candidates = here
        if not candidates:
            return None
    return min(candidates) if candidates else None


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _CLOSE * max(abs(one), abs(other), 1e-12)

"""A market of one bot in plain Python: orders fill at the next tick's prices, or `delay` ticks later."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest


@dataclass
class Played:
    orders: list[tuple[int, str, str, float]] = field(default_factory=list)
    fills: list[tuple[int, str, str, float, float]] = field(default_factory=list)
    rejected: list[tuple[int, str, str, float]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    positions: dict[str, float] = field(default_factory=dict)
    cash: float = 10_000.0
    names: dict[str, Any] = field(default_factory=dict)

    def turns(self) -> list[tuple[int, str]]:
        return [(tick, side) for tick, _, side, _ in self.orders]


def _settle(played: Played, queued: list[tuple[str, str, float]], n: int, prices: dict) -> None:
    for symbol, side, size in queued:
        price = prices.get(symbol)
        held = played.positions.get(symbol, 0.0)
        sound = isinstance(size, int | float) and math.isfinite(size) and size > 0
        if price is None or not sound or side not in {"BUY", "SELL"}:
            played.rejected.append((n, symbol, side, size))
        elif side == "BUY" and played.cash >= size * price:
            played.cash -= size * price
            played.positions[symbol] = held + size
            played.fills.append((n, symbol, side, size, price))
        elif side == "SELL" and held > 0:
            sold = min(size, held)
            played.cash += sold * price
            played.positions[symbol] = held - sold
            if played.positions[symbol] == 0:
                del played.positions[symbol]
            played.fills.append((n, symbol, side, sold, price))
        else:
            played.rejected.append((n, symbol, side, size))


def play(source: str, market: Sequence[dict[str, float]], cash: float = 10_000.0, delay: int = 1) -> Played:
    played = Played(cash=cash)
    now: dict[str, float] = {}
    queued: list[tuple[int, tuple[str, str, float]]] = []
    tick_number = -1

    def submit_order(symbol: str, side: str, size: float) -> None:
        queued.append((tick_number + delay, (symbol, side, size)))
        played.orders.append((tick_number, symbol, side, size))

    ctx = SimpleNamespace(
        get_price=now.get,
        get_cash=lambda: played.cash,
        get_position=lambda symbol: played.positions.get(symbol, 0.0),
        submit_order=submit_order,
        log=lambda message: played.logs.append(str(message)),
    )
    names = played.names
    exec(compile(source, "bot", "exec"), names)
    if "init" in names:
        names["init"](ctx)
    random.seed(7)
    for tick_number, prices in enumerate(market):
        now.clear()
        now.update(prices)
        due = [order for when, order in queued if when <= tick_number]
        queued[:] = [each for each in queued if each[0] > tick_number]
        _settle(played, due, tick_number, prices)
        bot = {"cash": played.cash, "positions": dict(played.positions)}
        names["on_tick"](ctx, {"time": float(tick_number), "prices": dict(prices), "bot": bot})
    return played


def _wave(ticks: int = 600, start: float = 100.0, phase: float = 0.0, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [start * (1 + 0.03 * math.sin(i / 17 + phase) + 0.0001 * i + chance.gauss(0, 0.0008)) for i in range(ticks)]


@pytest.fixture(name="play")
def play_fixture() -> Callable[..., Played]:
    return play


@pytest.fixture
def wave() -> Callable[..., list[float]]:
    return _wave

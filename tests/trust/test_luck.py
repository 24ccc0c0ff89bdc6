"""The floor of luck: the same lots at other times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from arena.core.exchange import Rules
from arena.trust.luck import Lot, lots_of, luck_floor, luck_words

RULES = Rules(10_000.0, 10.0, 5.0)
TIMES = np.arange(2000.0)
PRICES = {"A": 100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 1e-3, 2000)))}


def trade(time: float, side: str, size: float, symbol: str = "A") -> Any:
    return SimpleNamespace(time=time, side=side, size=size, symbol=symbol, realized_pnl=0.0)


def test_lots_are_first_in_first_out_and_what_is_held_stays_open() -> None:
    made = [trade(1, "BUY", 2), trade(2, "BUY", 3), trade(5, "SELL", 4), trade(6, "BUY", 1, "B")]
    assert lots_of(made) == [
        Lot("A", 2, 1, 5), Lot("A", 2, 2, 5), Lot("A", 1, 2, None), Lot("B", 1, 6, None),
    ]  # fmt: skip


def test_who_buys_low_and_sells_high_is_above_the_floor_and_who_does_the_reverse_below() -> None:
    best = sorted(range(1900), key=lambda n: PRICES["A"][n] - PRICES["A"][n + 50])[:8]
    worst = sorted(range(1900), key=lambda n: PRICES["A"][n + 50] - PRICES["A"][n])[:8]
    good, bad = ([Lot("A", 1.0, float(n), float(n + 50)) for n in places] for places in (best, worst))
    found = luck_floor(good, TIMES, PRICES, RULES, 1)
    assert found["p"] == pytest.approx(1 / 1001)
    assert "better than luck" in luck_words(found)
    assert luck_floor(bad, TIMES, PRICES, RULES, 1)["p"] == 1.0


def test_the_profit_is_worked_out_with_costs_on_the_same_grid() -> None:
    lots = [Lot("A", 2.0, 10.0, 60.0)] * 4 + [Lot("A", 1.0, 100.0, None)]
    paid, got = 1.0005 * 1.001, 0.9995 * 0.999
    series = PRICES["A"]
    expected = 4 * 2.0 * (series[60] * got - series[10] * paid) + series[1999] - series[100] * paid
    assert luck_floor(lots, TIMES, PRICES, RULES, 1)["profit"] == pytest.approx(expected)


def test_random_lots_are_spread_evenly_over_the_floor() -> None:
    chance, found = np.random.default_rng(5), []
    for _ in range(150):
        begins = chance.integers(0, 1950, 6)
        lots = [Lot("A", 1.0, float(n), float(n + 50)) for n in begins]
        found.append(luck_floor(lots, TIMES, PRICES, RULES, int(chance.integers(1e9)))["p"])
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)
    assert np.mean(np.array(found) <= 0.1) <= 0.2


def test_too_few_lots_say_what_is_needed() -> None:
    found = luck_floor([Lot("A", 1.0, 1.0, 2.0)], TIMES, PRICES, RULES, 1)
    assert (found["p"], found["needs"]) == (None, "needs 5 lots, has 1")
    assert "needs 5 lots" in luck_words(found)
    assert luck_floor([Lot("A", 1.0, 1.0, 2.0)] * 9, np.empty(0), {"A": np.empty(0)}, RULES, 1)["p"] is None

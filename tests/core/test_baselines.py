"""Baselines follow from prices alone."""

from __future__ import annotations

import numpy as np
import pytest

from arena.core.baselines import Baselines, benchmark_problem
from arena.core.exchange import Rules, settle
from arena.core.ledger import Account, mark
from arena.core.orders import Order, Side
from arena.core.scoring import ScoreClock, default_score_interval, score_ticks

RULES = Rules(10_000.0, fee_bps=10.0, slippage_bps=5.0)


def test_buy_and_hold_is_what_the_exchange_would_have_made_of_it() -> None:
    found = Baselines(("A", "B"), RULES, 1)
    found.point({"A": 100.0})
    size = found.held["A"]
    account = settle("hold", Account(10_000.0), [Order("A", Side.BUY, size)], {"A": 100.0}, RULES).account
    assert account.cash == pytest.approx(0.0, abs=1e-6)
    later = {"A": 130.0, "B": 7.0}
    found.point(later)
    equities = found.equities(later)
    assert equities["A"] == pytest.approx(mark(account, later).equity)
    # B has its first price only now: it is bought here, and its cost is a loss at once.
    assert equities["B"] == pytest.approx(10_000.0 / (1.0005 * 1.001))
    assert equities["equal weight"] == pytest.approx((equities["A"] + equities["B"]) / 2)
    assert equities["cash"] == 10_000.0


def walked(points: int) -> list[dict[str, float]]:
    chance = np.random.default_rng(3)
    steps = np.exp(np.cumsum(chance.normal(0, 0.01, (points, 2)), axis=0)) * [100.0, 5.0]
    return [{"A": float(a), "B": float(b)} for a, b in steps]


def test_random_traders_are_the_same_after_a_restart_and_others_with_another_seed() -> None:
    prices = walked(300)
    bands = []
    for seed in (1, 1, 2):
        found = Baselines(("A", "B"), Rules(), seed)
        for each in prices:
            found.point(each)
        bands.append(found.band(prices[-1]))
    assert bands[0] == bands[1] != bands[2]
    low, middle, high = bands[0]
    assert 0.0 < low < middle < high


def test_a_random_trader_pays_what_every_bot_pays() -> None:
    flat = [{"A": 100.0, "B": 5.0}] * 400
    free, dear = Baselines(("A", "B"), Rules(), 7), Baselines(("A", "B"), RULES, 7)
    for each in flat:
        free.point(each)
        dear.point(each)
    assert free.band(flat[0]) == pytest.approx((10_000.0,) * 3)
    # 20 turns of two fills each at most: 15 bp a fill and a switch has two.
    assert 10_000.0 * (1 - 0.0015) ** 80 < dear.band(flat[0])[1] < 10_000.0


@pytest.mark.parametrize("name", ["equal weight", "cash", "A"])
def test_a_known_benchmark_is_no_problem(name: str) -> None:
    assert benchmark_problem(name, ("A", "B")) is None


def test_an_unknown_benchmark_gets_a_sentence_with_the_choices() -> None:
    assert benchmark_problem("SP500", ("A", "B")) == (
        "BENCHMARK: 'SP500' is no benchmark of this market; use one of: equal weight, cash, A, B."
    )


def test_the_score_clock_finds_one_by_one_what_it_finds_at_once() -> None:
    chance = np.random.default_rng(5)
    times = 1_700_000_017.0 + np.cumsum(chance.choice([1.0, 1.0, 1.0, 40.0, 3_600.0], 3_000))
    clock = ScoreClock(300.0)
    assert [n for n, time in enumerate(times.tolist()) if clock.due(time)] == score_ticks(times, 300.0).tolist()


@pytest.mark.parametrize(
    ("interval", "replay", "wanted"),
    [
        (1.0, False, 300.0),
        (60.0, False, 600.0),
        (60.0, True, 300.0),
        (3_600.0, True, 3_600.0),
        (86_400.0, True, 86_400.0),
    ],
)
def test_the_usual_score_interval(interval: float, *, replay: bool, wanted: float) -> None:
    assert default_score_interval(interval, replay=replay) == wanted


def test_what_has_ended_at_nothing_is_not_bought() -> None:
    baselines = Baselines(("A", "B"), Rules(), 1)
    for _ in range(40):
        baselines.point({"A": 0.0, "B": 10.0})
    found = baselines.equities({"A": 0.0, "B": 10.0})
    assert found["A"] == found["B"] == 10_000.0
    assert baselines.band({"A": 0.0, "B": 10.0})[0] == 10_000.0

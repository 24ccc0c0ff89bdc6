"""How often a watched board takes luck for skill: boards of skill-less bots, looked at every snapshot.

    python -m benchmarks.simulate_luck [--boards 1000]

On each board 20 bots without any edge are compared with the benchmark and with the next row at each look. Counted are
the boards that ever show a false separation: by Arena's confidence sequences, and by the usual interval of 95 % for a
number of looks fixed beforehand, mean ± 1.96 s/√n, beside it. Then: after how many ticks a bot with a known edge is
ahead of the benchmark against what the formula says, and what a look costs at 1,000 bots.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np
import numpy.typing as npt

from arena.core.comparisons import ALPHA, BoardComparisons
from arena.core.statistics.sequences import MIN_BATCHES, Comparison, Sequences, batches_to_separate

BOTS, LOOKS, PERIOD = 20, 400, 300.0
FALSE = {Comparison.AHEAD, Comparison.BEHIND}
Floats = npt.NDArray[np.float64]


def returns_of(kind: str, chance: np.random.Generator, looks: int, bots: int) -> Floats:
    """Return returns of bots without an edge: a common market at a share of their own, and noise."""
    market = chance.standard_t(4, size=(looks, 1)) * 0.7e-3
    share = chance.uniform(0.0, 1.0, size=(1, bots))
    own = chance.standard_t(4, size=(looks, bots)) if kind == "fat tails" else chance.normal(0, 1, (looks, bots))
    own *= 1e-3
    if kind == "dependent":
        for n in range(1, looks):
            own[n] += 0.3 * own[n - 1]
    return share * market + own


def board(kind: str, seed: int, looks: int = LOOKS) -> tuple[bool, bool]:
    """Return whether a board ever shows a false separation: by sequences, and by the fixed-n interval."""
    chance = np.random.default_rng([seed, len(kind)])
    returns = returns_of(kind, chance, looks, BOTS)
    comparisons = BoardComparisons(PERIOD, 0.0)
    names = [f"b{n}" for n in range(BOTS)]
    equities = np.full(BOTS, 10_000.0)
    comparisons.point(dict(zip(names, equities.tolist(), strict=True)), 10_000.0)
    sums, squares = np.zeros(BOTS), np.zeros(BOTS)
    watched = usual = False
    for look in range(looks):
        equities = equities * (1.0 + returns[look])
        comparisons.point(dict(zip(names, equities.tolist(), strict=True)), 10_000.0)
        order = [names[place] for place in np.argsort(-equities)]
        watched |= any({row.against_benchmark, row.against_next} & FALSE for row in comparisons.judge(order))
        sums, squares, count = sums + returns[look], squares + returns[look] ** 2, look + 1
        if count >= MIN_BATCHES:
            mean = sums / count
            spread = np.sqrt((squares / count - mean**2) * count / (count - 1))
            usual |= bool(np.any(np.abs(mean) > 1.96 * spread / np.sqrt(count)))
    return watched, usual


def edge(seeds: int, sharpe: float, looks: int) -> dict[str, float]:
    """Return after how many periods a bot with this Sharpe ratio a period is ahead, and what the formula says."""
    found = []
    for seed in range(seeds):
        chance = np.random.default_rng([seed, 99])
        comparisons = BoardComparisons(PERIOD, 0.0)
        equity, at = 10_000.0, float("inf")
        comparisons.point({"skilled": equity}, 10_000.0)
        for look, value in enumerate(chance.normal(sharpe * 1e-3, 1e-3, looks), 1):
            equity *= 1.0 + value
            comparisons.point({"skilled": equity}, 10_000.0)
            if comparisons.judge(["skilled"])[0].against_benchmark is Comparison.AHEAD:
                at = look
                break
        found.append(at)
    theory = batches_to_separate(sharpe, 1.0, ALPHA)
    assert theory is not None
    return {"sharpe_a_period": sharpe, "median_periods": statistics.median(found), "theory_periods": theory}


def cost(bots: int, points: int) -> dict[str, float]:
    """Return what one score point and one look cost at so many bots, milliseconds; every look finds a new order."""
    chance = np.random.default_rng(5)
    comparisons = BoardComparisons(PERIOD, 0.0)
    names = [f"b{n}" for n in range(bots)]
    equities = np.full(bots, 10_000.0)
    point, fresh, again = [], [], []
    for _ in range(points):
        equities = equities * (1.0 + chance.normal(0, 1e-3, bots))
        given = dict(zip(names, equities.tolist(), strict=True))
        began = time.perf_counter()
        comparisons.point(given, 10_000.0)
        point.append(time.perf_counter() - began)
        order = [names[place] for place in np.argsort(-equities)]
        for kept in (fresh, again):
            began = time.perf_counter()
            comparisons.judge(order)
            kept.append(time.perf_counter() - began)
    # A score point comes every 300 ticks of a second, a snapshot every ten.
    a_tick = statistics.mean(fresh) / 10 + statistics.mean(point) / 300
    return {
        "bots": bots, "points": points, "point_ms": statistics.mean(point) * 1e3,
        "look_new_order_ms": statistics.mean(fresh) * 1e3, "look_same_order_ms": statistics.mean(again) * 1e3,
        "share_of_a_tick_of_1_s_pct": a_tick * 100.0,
    }  # fmt: skip


def restart_agrees() -> bool:
    """Say whether the pairs kept from look to look say what they say computed anew."""
    chance = np.random.default_rng(8)
    values = chance.normal(0, 1e-3, (5, 200))
    running = Sequences.empty(5)
    for column in values.T:
        running = running.after(column)
    anew = Sequences.of(values)
    return bool(np.allclose(running.mean, anew.mean) and np.allclose(running.squares, anew.squares))


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=1000)
    parser.add_argument("--looks", type=int, default=LOOKS)
    asked = parser.parse_args()
    figures: dict[str, object] = {"boards": asked.boards, "bots": BOTS, "looks": asked.looks}
    for kind in ("normal", "fat tails", "dependent"):
        shown = [board(kind, seed, asked.looks) for seed in range(asked.boards)]
        figures[kind] = {
            "false_separations_pct": 100.0 * sum(watched for watched, _ in shown) / len(shown),
            "fixed_n_pct": 100.0 * sum(usual for _, usual in shown) / len(shown),
        }
        print(json.dumps({kind: figures[kind]}), flush=True)
    figures["edges"] = [edge(min(200, asked.boards), sharpe, 2000) for sharpe in (0.5, 0.3)]
    figures["cost"] = cost(1000, 600)
    figures["pairs_agree"] = restart_agrees()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

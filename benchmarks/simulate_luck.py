"""How often a watched board takes luck for skill: boards of skill-less bots, looked at every score point.

    python -m benchmarks.simulate_luck [--boards 1000]

On each board 20 bots without any edge are compared with the benchmark and with the next row at each look. Counted are
the boards that ever show a false separation: by Arena's confidence sequences, and by two usual ones for a number of
looks fixed beforehand beside it: mean ± 1.96 s/√n of each bot, and the same with the error split over all pairs. Then:
after how many periods a bot with a known edge is ahead of the benchmark against what the formula says, and what a look
costs at 1,000 bots. All boards are computed at once by the formulas of `arena.core.statistics`; some are played through
`BoardComparisons` as well, and both must say the same.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from arena.core.comparisons import ALPHA, SAMPLED, BoardComparisons, batch_schedule
from arena.core.statistics.dependence import corrected, inflation
from arena.core.statistics.sequences import (
    MIN_BATCHES,
    Comparison,
    Sequences,
    batches_to_separate,
    estimated_boundary,
)

BOTS, LOOKS, PERIOD = 20, 400, 300.0
KINDS = ("normal", "fat tails", "dependent", "clustered")
FALSE = {Comparison.AHEAD, Comparison.BEHIND}
_AT_ONCE = 250  # boards
Floats = npt.NDArray[np.float64]


def returns_of(kind: str, chance: np.random.Generator, looks: int, bots: int) -> Floats:
    """Return returns (looks, bots) of bots without an edge: a common market at a share of their own, and noise.

    Dependent ones are first-order autoregressions at 0.3; clustered ones have a volatility that comes and goes.
    """
    market = chance.standard_t(4, size=(looks, 1)) * 0.7e-3
    share = chance.uniform(0.0, 1.0, size=(1, bots))
    own = chance.standard_t(4, size=(looks, bots)) if kind == "fat tails" else chance.normal(0, 1, (looks, bots))
    own *= 1e-3
    if kind == "dependent":
        for n in range(1, looks):
            own[n] += 0.3 * own[n - 1]
    elif kind == "clustered":
        loudness = chance.normal(0.0, 0.3, looks)
        for n in range(1, looks):
            loudness[n] += 0.9 * loudness[n - 1]
        own *= np.exp(loudness)[:, None]
    return share * market + own


@dataclass(frozen=True, slots=True)
class Watched:
    """The first look at which each board shows a separation, infinite where it never does.

    `any_pair` is by Arena's comparisons, `usual` and `split` by the fixed-n intervals; `ahead` has a column a bot, for
    being ahead of the benchmark.
    """

    any_pair: Floats
    usual: Floats
    split: Floats
    ahead: Floats


def watch(returns: Floats) -> Watched:
    """Watch boards all at once; `returns` are (boards, looks, bots) in excess of the benchmark."""
    boards, looks, bots = returns.shape
    alpha = ALPHA / (2 * bots - 1)
    # As BoardComparisons takes them, from equities; a return that went to 1e4 and back differs in its last bits.
    equities = np.cumprod(1.0 + returns, axis=1)
    sizes = np.array([batch_schedule([*board.T[:SAMPLED]], PERIOD) for board in returns])
    any_pair, ahead = np.full(boards, math.inf), np.full((boards, bots), math.inf)
    for size in np.unique(sizes):
        concerned = np.flatnonzero((sizes == size).any(axis=1))
        _watch_size(returns[concerned], equities[concerned], sizes[concerned], int(size), alpha,
                    (concerned, any_pair, ahead))  # fmt: skip
    count = np.arange(1.0, looks + 1.0)[None, :, None]
    mean = np.cumsum(returns, axis=1) / count
    variance = np.maximum(np.cumsum(returns**2, axis=1) / count - mean**2, 0.0)
    spread = np.sqrt(variance * count / np.maximum(count - 1, 1))
    ratio = np.abs(mean) * np.sqrt(count) / np.maximum(spread, 1e-300)
    ratio[:, : MIN_BATCHES - 1] = 0.0
    highest = ratio.max(axis=2)
    split = NormalDist().inv_cdf(1.0 - alpha / 2.0)
    return Watched(any_pair, _first(highest > 1.96), _first(highest > split), ahead)


def _first(shown: npt.NDArray[np.bool_]) -> Floats:
    return np.where(shown.any(axis=1), shown.argmax(axis=1) + 1.0, math.inf)


def _watch_size(
    returns: Floats, equities: Floats, sizes: npt.NDArray[np.int64], size: int, alpha: float,
    found: tuple[npt.NDArray[np.int64], Floats, Floats],
) -> None:  # fmt: skip
    """Watch the looks at which these boards have batches of `size`; write first looks into `found`."""
    places, any_pair, ahead = found
    boards, looks, bots = returns.shape
    sums, lagged = np.zeros((boards, bots)), np.zeros((boards, bots))
    products = np.zeros((boards, bots, bots))
    first = latest = np.zeros((boards, bots))
    rows = np.arange(boards)[:, None]
    batches = 0
    for look in range(1, looks + 1):
        if look % size == 0:
            means = returns[:, look - size : look].mean(axis=1)
            lagged += means * latest
            first = means if batches == 0 else first
            latest, batches = means, batches + 1
            sums += means
            products += means[:, :, None] * means[:, None, :]
        usable = sizes[:, look - 1] == size
        if batches < MIN_BATCHES or not usable.any():
            continue
        mean = sums / batches
        squares = np.einsum("bii->bi", products) - batches * mean**2
        lag = lagged - mean * (2.0 * sums - first - latest) + (batches - 1) * mean**2
        remembered = inflation(corrected(lag / squares, np.full_like(squares, batches)), np.full_like(squares, batches))
        width = estimated_boundary(batches / remembered, alpha) * np.sqrt(squares / (batches - 1))
        order = np.argsort(-equities[:, look - 1], axis=1)
        a, b = order[:, :-1], order[:, 1:]
        between = mean[rows, a] - mean[rows, b]
        spread = products[rows, a, a] + products[rows, b, b] - 2.0 * products[rows, a, b] - batches * between**2
        of_both = np.maximum(remembered[rows, a], remembered[rows, b])
        apart = np.abs(between) > estimated_boundary(batches / of_both, alpha) * np.sqrt(spread / (batches - 1))
        shown = usable & ((np.abs(mean) > width).any(axis=1) | apart.any(axis=1))
        any_pair[places[shown]] = np.minimum(any_pair[places[shown]], look)
        leading = usable[:, None] & (mean > width)
        ahead[places] = np.where(leading, np.minimum(ahead[places], look), ahead[places])


def played(returns: Floats) -> float:
    """Return the first look at which one board shows a separation, played through the arena's own comparisons."""
    looks, bots = returns.shape
    comparisons = BoardComparisons(PERIOD, 0.0)
    names = [f"b{n}" for n in range(bots)]
    equities = np.full(bots, 10_000.0)
    comparisons.point(dict(zip(names, equities.tolist(), strict=True)), 10_000.0)
    for look in range(looks):
        equities = equities * (1.0 + returns[look])
        comparisons.point(dict(zip(names, equities.tolist(), strict=True)), 10_000.0)
        order = [names[place] for place in np.argsort(-equities)]
        if any({row.against_benchmark, row.against_next} & FALSE for row in comparisons.judge(order)):
            return look + 1.0
    return math.inf


def luck(kind: str, boards: int, looks: int) -> dict[str, float]:
    """Return how many of so many boards ever show a false separation, and how many boards were played to compare."""
    false = usual = split = agreed = 0
    for start in range(0, boards, _AT_ONCE):
        seeds = range(start, min(boards, start + _AT_ONCE))
        drawn = [returns_of(kind, np.random.default_rng([seed, KINDS.index(kind)]), looks, BOTS) for seed in seeds]
        found = watch(np.array(drawn))
        false += int(np.isfinite(found.any_pair).sum())
        usual += int(np.isfinite(found.usual).sum())
        split += int(np.isfinite(found.split).sum())
        if not start:
            agreed = sum(bool(played(drawn[place]) == found.any_pair[place]) for place in range(min(3, len(drawn))))
    return {
        "false_separations": false, "false_separations_pct": 100.0 * false / boards,
        "fixed_n_pct": 100.0 * usual / boards, "fixed_n_split_pct": 100.0 * split / boards, "played_and_agreed": agreed,
    }  # fmt: skip


def edge(boards: int, sharpe: float, looks: int) -> dict[str, float]:
    """Return after how many periods one of 20 bots, with this Sharpe ratio a period, is ahead of the benchmark."""
    drawn = []
    for seed in range(boards):
        chance = np.random.default_rng([seed, 99])
        returns = chance.normal(0.0, 1e-3, (looks, BOTS))
        returns[:, 0] += sharpe * 1e-3
        drawn.append(returns)
    found = watch(np.array(drawn)).ahead[:, 0]
    theory = batches_to_separate(sharpe, 1.0, ALPHA / (2 * BOTS - 1))
    assert theory is not None
    return {
        "sharpe_a_period": sharpe, "boards": boards, "median_periods": statistics.median(found.tolist()),
        "theory_periods": theory,
    }  # fmt: skip


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
    for kind in KINDS:
        began = time.perf_counter()
        found = luck(kind, asked.boards, asked.looks)
        figures[kind] = {**found, "seconds": time.perf_counter() - began}
        print(json.dumps({kind: figures[kind]}), flush=True)
    cases = ((0.8, 200), (0.5, 300), (0.3, 600))
    figures["edges"] = [edge(min(200, asked.boards), sharpe, looks) for sharpe, looks in cases]
    figures["cost"] = cost(1000, 600)
    figures["pairs_agree"] = restart_agrees()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

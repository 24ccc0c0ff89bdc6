"""Many short rounds instead of one long season: blocks of tapes and made-up stress windows, rated with uncertainty.

Ratings are openskill's Plackett-Luce (Weng, Lin, A Bayesian Approximation Method for Online Ranking, J. of Machine
Learning Research 12, 2011). Beside them stands the mean difference to the rest of the field, paired by round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from openskill.models import PlackettLuce

from arena.core.exchange import Conditions, Rules
from arena.engine.backtest.market import RecordedMarket, halted, part_of_market
from arena.engine.backtest.run import LOCKSTEP, BotSource, CheckedBot, check_candidates, play_entries
from arena.errors import MarketDataError, RefusedError
from arena.feeds.synthetic_tiers import HELD_OUT, SHOWN, TIERS, Window, made_window
from sandbox.pool import Pool

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
Told = Callable[[float], None]

MIN_TICKS = 60
TAPE = "tape"
_RESAMPLES = 2000
COLUMNS = (
    "rank", "name", "file", "rating", "uncertainty", "low", "rounds", "wins", "mean_return_pct", "mean_difference_pct",
    "difference_low_pct", "difference_high_pct",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Round:
    """One market that all bots play; `regime` is a tier or the tape, `band` shown, held-out or none."""

    regime: str
    band: str
    market: RecordedMarket
    words: str


def window_market(window: Window) -> RecordedMarket:
    """Return a made-up window as a market; orders on what is halted are rejected."""
    rows = np.column_stack([window.times, window.prices])
    conditions = {
        n: Conditions({symbol: halted(symbol, "made up") for symbol in window.symbols})
        for begin, end in window.halts for n in range(begin, end)
    }  # fmt: skip
    return RecordedMarket(window.symbols, rows, conditions)


def draw_rounds(
    tapes: Sequence[tuple[str, RecordedMarket]],
    symbols: Sequence[str],
    rounds: int,
    ticks: int,
    seed: int,
    tiers: Sequence[str] = TIERS,
) -> list[Round]:
    """Return so many rounds of `ticks` ticks: tapes and tiers in turn, tiers from the shown and held-out band in turn.

    A block of a tape begins at a place that `seed` draws; a tape that is shorter is played whole.
    """
    if ticks < MIN_TICKS:
        raise MarketDataError(f"A round of {ticks} ticks is too short: at least {MIN_TICKS} are needed.", usage=True)
    chance = np.random.default_rng([seed, rounds])
    kinds: list[tuple[str, str | tuple[str, RecordedMarket]]] = [(TAPE, tape) for tape in tapes]
    kinds += [(tier, tier) for tier in tiers]
    if not kinds:
        raise MarketDataError("A tournament needs a market: name tapes by --data, or tiers by --tiers.", usage=True)
    found = []
    for number in range(rounds):
        regime, kind = kinds[number % len(kinds)]
        if isinstance(kind, str):
            lap = number // len(kinds)
            band = (SHOWN, HELD_OUT)[lap % 2]
            # Of each band as many numbers as laps; another seed draws others.
            window = made_window(kind, symbols, ticks, band, seed * 100_000 + lap // 2)
            found.append(Round(regime, band, window_market(window), f"{kind}, {band} {lap // 2}"))
        else:
            name, market = kind
            first = int(chance.integers(0, max(1, len(market) - ticks + 1)))
            block = part_of_market(market, first, min(len(market), first + ticks))
            found.append(Round(regime, "", block, f"{name} from tick {first}"))
    return found


def tournament(
    pool: Pool,
    bots: Sequence[BotSource],
    rounds: Sequence[Round],
    rules: Rules,
    *,
    seed: int = 0,
    told: Told = lambda _: None,
    pin: bool = False,
    shown: Sequence[str] | None = None,
) -> Row:
    """Play every round in lockstep with all bots; return ratings, differences and regimes, best rating first.

    A row is named as `shown` names its bot, or as the bot names itself. A bot that trades none of a round's symbols
    sits it out. RefusedError where a bot is refused.
    """
    entries = check_candidates(pool, bots)
    for entry in entries:
        if not entry.program:
            raise RefusedError(f"{entry.candidate.file} is refused.", list(entry.violations))
    returns, modes = np.full((len(rounds), len(entries)), np.nan), set[str]()
    for place, each in enumerate(rounds):
        playing = [n for n, entry in enumerate(entries) if set(entry.symbols) & set(each.market.symbols)]
        results = play_entries(
            pool,
            [entries[n] for n in playing],
            each.market,
            rules,
            seed=f"{seed}/{place}",
            run=LOCKSTEP,
            pin=pin,
        )
        for n, result in zip(playing, results, strict=True):
            assert result.play is not None
            modes.add(result.mode)
            returns[place, n] = (result.play.equity / rules.starting_cash - 1.0) * 100.0
        told((place + 1) / len(rounds))
    names = shown or [entry.bot_name for entry in entries]
    return {**_document(entries, names, rounds, returns, seed), "mode": ", ".join(sorted(modes))}


def _document(
    entries: Sequence[CheckedBot], names: Sequence[str], rounds: Sequence[Round], returns: Floats, seed: int
) -> Row:
    ratings, chance = rated(returns), np.random.default_rng([seed, 7])
    rows: list[Row] = []
    for place, entry in enumerate(entries):
        own = returns[:, place]
        played = ~np.isnan(own)
        mean, low, high = mean_difference(returns, place, chance)
        mu, sigma = ratings[place]
        rows.append({
            "name": names[place], "file": entry.candidate.file, "rating": mu, "uncertainty": sigma,
            "low": mu - 3.0 * sigma, "rounds": int(played.sum()),
            "wins": int(np.sum(own[played] >= np.nanmax(returns[played], axis=1))) if played.any() else 0,
            "mean_return_pct": float(own[played].mean()) if played.any() else None,
            "mean_difference_pct": mean, "difference_low_pct": low, "difference_high_pct": high,
            "regimes": _means(own, [each.regime for each in rounds]),
            "bands": _means(own, [each.band for each in rounds]),
        })  # fmt: skip
    rows.sort(key=lambda row: (-row["low"], row["name"], row["file"]))
    for rank, row in enumerate(rows, 1):
        row["rank"] = rank
    return {
        "rounds": [
            {"regime": each.regime, "band": each.band or None, "market": each.words, "ticks": len(each.market),
             "returns_pct": [None if np.isnan(value) else float(value) for value in own]}
            for each, own in zip(rounds, returns, strict=True)
        ],
        "bots": [entry.candidate.file for entry in entries], "regimes": list(dict.fromkeys(r.regime for r in rounds)),
        "table": rows, "seed": seed, "words": _words(rows),
        "formulas": {
            "rating": "openskill Plackett-Luce: mean and standard deviation of skill, begun at 25 and 25/3",
            "low": "rating - 3 uncertainty: the table's order",
            "mean_difference_pct": "mean over rounds of the return less the mean of the other bots', percentage points",
            "difference_low_pct": "95 % interval of that mean: bootstrap over rounds, 2,000 resamples",
        },
    }  # fmt: skip


def rated(returns: Floats) -> list[tuple[float, float]]:
    """Return mean and standard deviation of each bot's skill after these rounds; equal returns are a draw."""
    model = PlackettLuce()
    ratings = [model.rating() for _ in range(returns.shape[1])]
    for own in returns:
        playing = np.flatnonzero(~np.isnan(own)).tolist()
        if len(playing) < 2:
            continue
        after = model.rate([[ratings[n]] for n in playing], scores=[float(own[n]) for n in playing])
        for n, (rating,) in zip(playing, after, strict=True):
            ratings[n] = rating
    return [(float(rating.mu), float(rating.sigma)) for rating in ratings]


def mean_difference(
    returns: Floats, place: int, chance: np.random.Generator
) -> tuple[float | None, float | None, float | None]:
    """Return the mean of a bot's return less that of the others in the same round, and its 95 % interval.

    The interval is None below five rounds.
    """
    others = np.delete(returns, place, axis=1)
    both = ~np.isnan(returns[:, place]) & (~np.isnan(others)).any(axis=1)
    if not both.any():
        return None, None, None
    differences = returns[both, place] - np.nanmean(others[both], axis=1)
    mean, size = float(differences.mean()), len(differences)
    if size < 5:
        return mean, None, None
    means = differences[chance.integers(0, size, (_RESAMPLES, size))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return mean, float(low), float(high)


def _means(own: Floats, kinds: Sequence[str]) -> dict[str, float | None]:
    found: dict[str, list[float]] = defaultdict(list)
    for value, kind in zip(own.tolist(), kinds, strict=True):
        if kind:
            found[kind] += [] if np.isnan(value) else [value]
    return {kind: float(np.mean(values)) if values else None for kind, values in found.items()}


def _words(rows: Sequence[Row]) -> str:
    if len(rows) < 2:
        return "One bot alone has nobody to be rated against."
    first, second = rows[0], rows[1]
    low = first["difference_low_pct"]
    if low is None:
        return "Too few rounds to tell anybody apart: at least five are needed."
    if low > 0.0 and first["low"] > second["rating"]:
        return f"{first['name']} is better than the field: its difference holds at 95 %, in rounds fixed beforehand."
    return f"{first['name']} leads, and cannot be told apart from the next yet: play more rounds."

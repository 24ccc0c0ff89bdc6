"""Attacks on the ranking, played against its rules on markets without an edge: none may gain rank.

An attack gains rank on a board where it is ever said to be ahead of the benchmark or of an honest bot. By chance that
may happen on 5 % of boards; an attack passes unless it happens significantly more often.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from arena.core.comparisons import ALPHA, BoardComparisons
from arena.core.statistics.sequences import Comparison

Floats = npt.NDArray[np.float64]
Path = Floats  # equities at the score points, NaN where the account does not exist
Attack = Callable[[Floats, np.random.Generator], list[Path]]

HONEST = 5
PERIOD = 300.0
_LOOK_EVERY = 5  # score points
START = 10_000.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What an attack has achieved on so many boards."""

    attack: str
    boards: int
    gained: int
    allowed: int

    @property
    def passes(self) -> bool:
        """Say whether the ranking has held."""
        return self.gained <= self.allowed


def market_returns(periods: int, chance: np.random.Generator) -> Floats:
    """Return a market's returns: fat tails, and a rare jump either way; its expectation is 0."""
    usual = chance.standard_t(4, periods) * 0.7e-3
    jumps = (chance.random(periods) < 0.01) * chance.choice([-0.02, 0.02], periods)
    found: Floats = np.clip(usual + jumps, -0.5, 0.5)
    return found


def invested(returns: Floats, weights: Floats, start: float = START) -> Path:
    """Return the equities of an account that has a share `weights` of itself in the market in each period."""
    return start * np.concatenate([[1.0], np.cumprod(1.0 + weights * returns)])


def _honest(returns: Floats, chance: np.random.Generator) -> Path:
    held = np.repeat(chance.random(len(returns) // 10 + 1), 10)[: len(returns)]
    return invested(returns, held)


def _martingale(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Double the stake after each loss, up to all it has."""
    del chance
    weights, stake = np.empty(len(returns)), 0.05
    for n, value in enumerate(returns):
        weights[n] = stake
        stake = 0.05 if value > 0.0 else min(1.0, 2.0 * stake)
    return [invested(returns, weights)]


def _lucky_trade(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Hold once, all in, in the period that was the best; luck of one trade, as if drawn by chance."""
    del chance
    weights = np.zeros(len(returns))
    weights[int(np.argmax(returns))] = 1.0
    return [invested(returns, weights)]


def _flat(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Stay in cash."""
    del chance
    return [np.full(len(returns) + 1, START)]


def _copier(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Hold what an honest bot held one period before; the first path is the bot that is copied."""
    weights = np.repeat(chance.random(len(returns) // 10 + 1), 10)[: len(returns)]
    late = np.concatenate([[0.0], weights[:-1]])
    return [invested(returns, late)]


def _swarm(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Send twenty random bots, and after a third of the time retire all but the best."""
    third = len(returns) // 3
    paths = [_honest(returns, chance) for _ in range(20)]
    paths.sort(key=lambda path: -path[third])
    for path in paths[1:]:
        path[third:] = np.nan
    return paths


def _renaming(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Come again under a new name, with a fresh account, after each loss of half a percent."""
    own = _honest(returns, chance)
    paths: list[Path] = []
    begin = 0
    for n in range(1, len(own)):
        if own[n] < 0.995 * own[begin] and len(paths) < 15:
            paths.append(_alive(own, begin, n))
            begin = n
    return [*paths, _alive(own, begin, len(own))]


def _alive(own: Path, begin: int, end: int) -> Path:
    path = np.full(len(own), np.nan)
    path[begin:end] = START * own[begin:end] / own[begin]
    return path


def _last_minute(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Stay out, then go all in for the last tenth of the season."""
    del chance
    weights = np.zeros(len(returns))
    weights[-(len(returns) // 10) :] = 1.0
    return [invested(returns, weights)]


def _opening_balance(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Begin with ten times the cash."""
    return [10.0 * _honest(returns, chance)]


def _short_season(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Gamble all in for the first thirty periods, then rest on what came out."""
    del chance
    weights = np.zeros(len(returns))
    weights[:30] = 1.0
    return [invested(returns, weights)]


def _tail_selling(returns: Floats, chance: np.random.Generator) -> list[Path]:
    """Gain a little in each period, until a jump of the market takes it all back: expectation 0."""
    gain, loss, often = 5e-4, 0.02, 0.0244
    ruined = chance.random(len(returns)) < often
    own = np.where(ruined, -loss, gain * chance.uniform(0.9, 1.1, len(returns)))
    return [START * np.concatenate([[1.0], np.cumprod(1.0 + own)])]


ATTACKS: dict[str, Attack] = {
    "martingale": _martingale,
    "tail selling": _tail_selling,
    "one lucky trade": _lucky_trade,
    "flat cash": _flat,
    "copier of the leader": _copier,
    "swarm of clones, one kept": _swarm,
    "new name after a loss": _renaming,
    "last-minute gamble": _last_minute,
    "never filled": _flat,
    "opening balance changed": _opening_balance,
    "trading only while the season is short": _short_season,
}


def audit(boards: int = 40, periods: int = 150, seed: int = 0) -> list[Finding]:
    """Play every attack on so many boards."""
    allowed = _allowed(boards)
    return [
        Finding(name, boards, sum(_gains(attack, seed + board, periods) for board in range(boards)), allowed)
        for name, attack in ATTACKS.items()
    ]


def _swing(value: float) -> float:
    """Return the fraction that a move loses, or would lose the other way round."""
    return -value if value < 0.0 else value / (1.0 + value)


def _allowed(boards: int) -> int:
    """Return how many of so many boards may err, beyond which 5 % each is refused at one in a thousand."""
    tail, count = 1.0, 0
    while tail > 1e-3:
        tail -= comb(boards, count) * ALPHA**count * (1.0 - ALPHA) ** (boards - count)
        count += 1
    return count - 1


def _gains(attack: Attack, seed: int, periods: int) -> bool:
    """Say whether an attack is ever ahead of the benchmark or of an honest bot on one board, looked at all the time."""
    chance = np.random.default_rng([seed, periods])
    returns = market_returns(periods, chance)
    # The benchmark is half in the market, half in cash.
    benchmark = invested(returns, np.full(periods, 0.5))
    paths = {f"honest {n}": _honest(returns, chance) for n in range(HONEST)}
    attackers = {f"attack {n}": path for n, path in enumerate(attack(returns, chance))}
    paths |= attackers
    board = BoardComparisons(PERIOD, 0.0)
    for n in range(periods + 1):
        now = {name: float(path[n]) for name, path in paths.items() if not np.isnan(path[n])}
        board.point(now, float(benchmark[n]), _swing(float(returns[n - 1])) if n else 0.0)
        order = sorted(now, key=lambda name: (-now[name], name))
        if board.batches < 30 or n % _LOOK_EVERY:
            continue
        for place, row in enumerate(board.judge(order)):
            following = order[place + 1] if place + 1 < len(order) else ""
            if order[place] not in attackers:
                continue
            ahead = row.against_next is Comparison.AHEAD and following not in attackers
            if ahead or row.against_benchmark is Comparison.AHEAD:
                return True
    return False

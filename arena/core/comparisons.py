"""Which ranks of a board can be told apart: verdicts and tie bands that hold however often they are looked at.

Each bot is compared with the season's benchmark and with the next row, by confidence sequences over batch means of
returns between score points. The error of 5 % is split over all pairs that a board of so many bots shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from arena.core.statistics.dependence import are_dependent, autocorrelations, inflation, stationary_block_length
from arena.core.statistics.sequences import (
    MIN_BATCHES,
    Comparison,
    Sequences,
    batches_to_separate_many,
    compare_bounds,
    tie_bands,
)

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
MIN_BATCH_SECONDS = 300.0
SAMPLED = 16  # bots whose memory is measured
_FIRST_CHECK = 30  # returns before the memory is measured for the first time
_CHECK_AGAIN = 1.25  # times as many returns before it is measured again


class BotSeparation(NamedTuple):
    """What the board says of one row; `more_batches` is until it separates from the next row, None if unknown."""

    against_benchmark: Comparison
    against_next: Comparison
    tie_first: int
    tie_last: int
    batches: int
    more_batches: float | None


class _Growing:
    """Rows of doubles, one a bot, that grow to the right; each row is contiguous."""

    def __init__(self, rows: int = 0) -> None:
        self._values = np.full((max(rows, 8), 64), np.nan)
        self.rows, self.columns = rows, 0

    @property
    def values(self) -> Floats:
        return self._values[: self.rows, : self.columns]

    def append(self, column: Floats) -> None:
        rows, columns = self._values.shape
        if len(column) > rows or self.columns == columns:
            more = max(rows, 1 << (len(column) - 1).bit_length()), columns * 2 if self.columns == columns else columns
            grown = np.full(more, np.nan)
            grown[: self.rows, : self.columns] = self.values
            self._values = grown
        self.rows = max(self.rows, len(column))
        self._values[: len(column), self.columns] = column
        self.columns += 1


def _long_enough(sampled: Sequence[Sequence[float] | Floats]) -> float:
    """Return how many returns a batch should have at least: five times as many as they remember, 0 if they do not."""
    known = [values[~np.isnan(values)] for values in map(np.asarray, sampled)]
    known = [values for values in known if len(values) >= _FIRST_CHECK]
    if not are_dependent(known):
        return 0.0
    return float(np.median([5.0 * stationary_block_length(values) for values in known]))


def first_batch(score_interval: float) -> int:
    """Return how many returns a batch has before anything is known of them: at least 5 minutes."""
    return max(1, math.ceil(MIN_BATCH_SECONDS / score_interval))


def batch_schedule(sampled: Sequence[Floats], score_interval: float) -> npt.NDArray[np.int64]:
    """Return the length of a batch after each return, as `BoardComparisons` finds it for these series."""
    batch, check = first_batch(score_interval), _FIRST_CHECK
    found = np.empty(len(sampled[0]), dtype=np.int64)
    for count in range(1, len(found) + 1):
        if count >= check:
            check = math.ceil(count * _CHECK_AGAIN)
            enough = _long_enough([values[:count] for values in sampled])
            while batch < enough:
                batch *= 2
        found[count - 1] = batch
    return found


@dataclass(slots=True)
class BoardComparisons:
    """The running comparisons of one season; `point` at each score point, `judge` at each ranking.

    `batch` is how many returns make one batch: at least 5 minutes, and five times as long as returns remember
    (Politis, White 2004) where they are dependent at all. It is the first size doubled until it is long enough, and
    never falls. What batches still remember widens the intervals. `tolerance` is the cost of a round
    trip, as a fraction.
    """

    score_interval: float
    tolerance: float
    places: dict[str, int] = field(default_factory=dict)
    returns: int = 0
    batch: int = field(init=False)
    last: Floats = field(default_factory=lambda: np.empty(0))
    last_benchmark: float = math.nan
    largest_swing: float = 0.0
    _sums: Floats = field(default_factory=lambda: np.empty(0))
    _filled: int = 0
    _next_check: int = _FIRST_CHECK
    _sampled: list[list[float]] = field(default_factory=list)
    _means: _Growing = field(default_factory=_Growing)
    _alone: Sequences = field(default_factory=lambda: Sequences.empty(0))
    _lowest: Floats = field(default_factory=lambda: np.empty(0))
    _pairs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
    _paired: Sequences = field(default_factory=lambda: Sequences.empty(0))
    _judged: tuple[tuple[str, ...], int, int, list[BotSeparation]] | None = None
    _inflation: tuple[int, Floats] | None = None

    def __post_init__(self) -> None:
        self.batch = first_batch(self.score_interval)

    @property
    def batches(self) -> int:
        """Return how many batches there are."""
        return self._means.columns

    # -- score points --------------------------------------------------------------------------------

    def point(self, equities: Mapping[str, float], benchmark: float, swing: float = 0.0) -> None:
        """Take the equities at one score point; a bot that is missing is out, one that is new has its first.

        `swing` is the largest move of any symbol since the point before, as the fraction that its fall loses.
        """
        self.largest_swing = max(self.largest_swing, swing)
        for bot in equities:
            self.places.setdefault(bot, len(self.places))
        now = np.full(len(self.places), np.nan)
        now[[self.places[bot] for bot in equities]] = list(equities.values())
        before = np.full(len(self.places), np.nan)
        before[: len(self.last)] = self.last
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(before > 0.0, now / before - 1.0, np.nan)
            change[(before <= 0.0) & (now <= 0.0)] = 0.0
        started = math.isfinite(self.last_benchmark)
        market = benchmark / self.last_benchmark - 1.0 if started and self.last_benchmark > 0.0 else 0.0
        self.last, self.last_benchmark = now, benchmark
        if started:
            self._take(change - market)

    def _take(self, excess: Floats) -> None:
        self.returns += 1
        # A bot that comes in while a batch is open has no part in it.
        grown = np.full(len(excess), np.nan if self._filled else 0.0)
        grown[: len(self._sums)] = self._sums
        self._sums = grown + excess
        self._filled += 1
        for place, series in enumerate(self._sampled):
            series.append(float(excess[place]))
        while len(self._sampled) < min(SAMPLED, len(excess)):
            self._sampled.append([float(excess[len(self._sampled)])])
        if self._filled == self.batch:
            self._add(self._sums / self.batch)
            self._sums, self._filled = np.zeros(len(excess)), 0
        if self.returns >= self._next_check:
            self._next_check = math.ceil(self.returns * _CHECK_AGAIN)
            self._lengthen()

    def _add(self, means: Floats) -> None:
        self._means.append(means)
        alone = self._alone
        if len(alone.count) < len(means):
            more = len(means) - len(alone.count)
            alone = Sequences(*(np.append(part, np.zeros(more)) for part in (alone.count, alone.mean, alone.squares)))
        self._alone = alone.after(means)
        lowest = np.append(self._lowest, np.full(len(means) - len(self._lowest), np.inf))
        self._lowest = np.fmin(lowest, means)
        if self._pairs is not None:
            first, second = self._pairs
            self._paired = self._paired.after(means[first] - means[second])

    def _lengthen(self) -> None:
        """Measure how long returns remember, and double the batch until it is five times as long."""
        enough = _long_enough(self._sampled)
        while self.batch < enough:
            self._double()

    def _double(self) -> None:
        """Merge neighbouring batches; what was open goes on as the second half, or as the whole, of one."""
        means = self._means.values
        whole = means.shape[1] // 2 * 2
        merged = (means[:, 0:whole:2] + means[:, 1:whole:2]) / 2.0
        if means.shape[1] > whole:
            half = np.full(len(self._sums), np.nan)
            half[: len(means)] = means[:, -1] * self.batch
            self._sums = self._sums + half if self._filled else half
            self._filled += self.batch
        self.batch *= 2
        self._means = _Growing(len(means))
        for column in merged.T:
            self._means.append(np.ascontiguousarray(column))
        self._alone = Sequences.of(merged)
        self._lowest = np.fmin.reduce(merged, axis=1, initial=np.inf)
        self._pairs = self._judged = self._inflation = None

    # -- verdicts --------------------------------------------------------------------------------------

    @property
    def pairs_shown(self) -> int:
        """Return over how many pairs the error is split: each bot with the benchmark and with the next row.

        Bots that have left count on, so that nobody's interval narrows by another's leaving.
        """
        return max(1, 2 * len(self.places) - 1)

    def judge(self, order: Sequence[str]) -> list[BotSeparation]:
        """Return the verdict of each row of a board in this order."""
        key = tuple(order)
        if self._judged is not None and self._judged[:3] == (key, self.batches, self.pairs_shown):
            return self._judged[3]
        verdicts = self._fresh(key)
        self._judged = (key, self.batches, self.pairs_shown, verdicts)
        return verdicts

    def _fresh(self, order: tuple[str, ...]) -> list[BotSeparation]:
        if not order:
            return []
        alpha = ALPHA / self.pairs_shown
        known = len(self._alone.count)
        # A bot without a batch yet has the place behind the last.
        rows = np.array([min(self.places.get(bot, known), known) for bot in order])
        alone = Sequences(
            *(np.append(part, 0.0)[rows] for part in (self._alone.count, self._alone.mean, self._alone.squares))
        )
        paired = self._pair_up(rows[:-1], rows[1:], known)
        unseen = np.append(self._unseen(), 0.0)[rows]
        remembered = np.append(self._remembered(), 1.0)[rows]
        # A difference remembers no longer than the one of both that remembers longest.
        of_both = np.maximum(remembered[:-1], remembered[1:])
        benchmark = self._said(alone, alpha, remembered, unseen, np.zeros(len(rows)))
        following = self._said(paired, alpha, of_both, unseen[:-1], unseen[1:])
        rare = math.log(1.0 / alpha) * np.where(paired.mean >= 0.0, unseen[:-1], unseen[1:])
        needed = batches_to_separate_many(paired, alpha, of_both, rare)
        apart = np.array([each in {Comparison.AHEAD, Comparison.BEHIND} for each in following], dtype=np.bool_)
        bands = tie_bands(apart)
        more = [
            None if not math.isfinite(wanted) else max(0.0, wanted - have)
            for wanted, have in zip(needed.tolist(), paired.count.tolist(), strict=True)
        ]
        return [
            BotSeparation(benchmark[i], following[i] if i < len(following) else Comparison.NOT_YET, *bands[i],
                    int(alone.count[i]), more[i] if i < len(more) else None)
            for i in range(len(order))
        ]  # fmt: skip

    def _unseen(self) -> Floats:
        """Return by how much a batch of each bot could still be worse than its worst so far.

        A bot of many small gains and a rare ruin shows no spread before the ruin comes. A market may fall twice as far
        in one period as it has moved so far, up or down, while the bot is in.
        """
        worst = np.where(np.isfinite(self._lowest), self._lowest, 0.0)
        return np.maximum(0.0, min(1.0, 2.0 * self.largest_swing) / self.batch + np.minimum(worst, 0.0))

    def _remembered(self) -> Floats:
        """Return for each bot how many batches one independent batch is worth, measured anew with each batch."""
        if self._inflation is None or self._inflation[0] != self.batches:
            means = self._means.values
            parts = [autocorrelations(means[start : start + 256]) for start in range(0, len(means), 256)]
            found = np.concatenate(parts) if parts else np.empty(0)
            self._inflation = self.batches, inflation(found, self._alone.count)
        return self._inflation[1]

    def _said(
        self, states: Sequences, alpha: float, remembered: Floats, unseen: Floats, unseen_other: Floats
    ) -> list[Comparison]:
        # A loss that has not been seen in t batches has a chance of at most ln(1/alpha)/t a batch.
        rare = math.log(1.0 / alpha) / np.maximum(states.count, 1.0)
        # What both have gained so far differs by the mean a return times the returns; a round trip is of that.
        spans = np.maximum(states.count * self.batch, 1.0)
        tolerances = max(self.tolerance, 1e-9) / spans
        widths = states.half_widths(alpha, inflation=remembered)
        return [
            compare_bounds(*each)
            for each in zip(
                (states.mean - widths - rare * unseen).tolist(),
                (states.mean + widths + rare * unseen_other).tolist(),
                tolerances.tolist(),
                strict=True,
            )
        ]

    def _pair_up(self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64], known: int) -> Sequences:
        """Return the states of these pairs: kept where they were neighbours before, else computed anew."""
        state = Sequences.empty(len(first))
        size = known + 1
        keys = first * size + second
        fresh = np.ones(len(keys), dtype=np.bool_)
        if self._pairs is not None and len(self._pairs[0]):
            old = self._pairs[0] * size + self._pairs[1]
            by_key = np.argsort(old)
            places = np.minimum(np.searchsorted(old[by_key], keys), len(old) - 1)
            found = by_key[places]
            same = old[found] == keys
            for part, source in (
                (state.count, self._paired.count), (state.mean, self._paired.mean),
                (state.squares, self._paired.squares),
            ):  # fmt: skip
                part[same] = source[found[same]]
            fresh = ~same
        usable = (first < known) & (second < known)
        means = self._means.values
        todo = np.flatnonzero(fresh & usable)
        for start in range(0, len(todo), 256):
            some = todo[start : start + 256]
            computed = Sequences.of(means[first[some]] - means[second[some]])
            state.count[some], state.mean[some] = computed.count, computed.mean
            state.squares[some] = computed.squares
        self._pairs = (first[usable], second[usable])
        self._paired = Sequences(state.count[usable], state.mean[usable], state.squares[usable])
        return state

    def series(self, bot: str) -> Floats:
        """Return the batch means of a bot's excess over the benchmark."""
        place = self.places.get(bot)
        if place is None or place >= self._means.rows:
            return np.empty(0)
        values: Floats = self._means.values[place]
        return values[~np.isnan(values)]

    def interval(self, bot: str) -> tuple[float, float, float] | None:
        """Return mean, low and high of a bot's excess a return, None before there are enough batches."""
        place = self.places.get(bot)
        if place is None or place >= len(self._alone.count) or self._alone.count[place] < MIN_BATCHES:
            return None
        mean = float(self._alone.mean[place])
        widths = self._alone.half_widths(ALPHA / self.pairs_shown, inflation=self._remembered())
        width = float(widths[place])
        return mean, mean - width, mean + width

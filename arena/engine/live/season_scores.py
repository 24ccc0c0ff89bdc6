"""One season's score clock: the points it writes, and what follows from them for the board."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from typing import Any

import numpy as np

from arena.core.baselines import CASH, EQUAL_WEIGHT, Baselines
from arena.core.comparisons import BoardComparisons, BotSeparation
from arena.core.exchange import Rules
from arena.core.scoring import ScoreClock
from arena.core.seeds import seed_of
from arena.core.separation import separation_words
from arena.store.models import ScorePoint, Season


class SeasonScores:
    """The running score of a season; used by the engine's thread only, and the same after a restart."""

    def __init__(self, season: Season, rules: Rules, symbols: Sequence[str], chance: str) -> None:
        self._season = season
        self.clock = ScoreClock(season.score_interval)
        seed = seed_of(chance, "random traders", season.id) & (2**63 - 1)
        self._baselines = Baselines(tuple(symbols), rules, seed)
        # What one round trip costs, as a fraction: fee and slippage, there and back.
        self._comparisons = BoardComparisons(season.score_interval, 2.0 * (rules.fee_bps + rules.slippage_bps) / 1e4)
        self._restoring: futures.Future[None] | None = None
        self._ended = False
        self._points = 0
        # The ticks of the first and the last score point.
        self._first_tick = self._last_tick = 0
        self._last_prices: dict[str, float] = {}
        # What the benchmark was worth at a bot's first score point: for bots whose first tick was not kept.
        self._first_points: dict[str, float] = {}

    def restore(self, first: float, last: float, points: Callable[[], Iterable[ScorePoint]]) -> None:
        """Take up all recorded points, of which the first and the last have these times.

        There are as many as the season is old: they are read on a thread of their own, and who needs what follows
        from them waits, which is at a tick that ranks or is a score point.
        """
        self.clock.due(first)
        self.clock.due(last)
        done: futures.Future[None] = futures.Future()
        self._restoring = done

        def read() -> None:
            try:
                for row in points():
                    if self._ended:
                        break
                    self._take_up(row)
                done.set_result(None)
            except Exception as error:  # noqa: BLE001 - raised again for who waits
                done.set_exception(error)

        threading.Thread(target=read, name="score points").start()

    def end(self) -> None:
        """Take up no more of them: the server ends."""
        self._ended = True
        if self._restoring is not None:
            futures.wait([self._restoring])

    def wait(self) -> None:
        """Wait until all recorded points are taken up."""
        if self._restoring is not None:
            self._restoring.result()
            self._restoring = None

    @property
    def baselines(self) -> Baselines:
        """Return the baselines as of the last score point."""
        self.wait()
        return self._baselines

    @property
    def comparisons(self) -> BoardComparisons:
        """Return the comparisons of bots as of the last score point."""
        self.wait()
        return self._comparisons

    def _take_up(self, row: ScorePoint) -> None:
        columns = [*self._comparisons.places, *row.joined]
        values = np.frombuffer(row.equities, dtype="<f8").tolist()
        self._note_tick(row.tick)
        self._take({bot: v for bot, v in zip(columns, values, strict=True) if v == v}, row.prices)  # noqa: PLR0124

    def point(self, tick: int, time: float, equities: Mapping[str, float], prices: Mapping[str, float]) -> Any:
        """Take one score point and return its row."""
        known = len(self.comparisons.places)
        self._note_tick(tick)
        self._take(equities, prices)
        places = list(self.comparisons.places)
        return {
            "season_id": self._season.id, "n": self._points - 1, "tick": tick, "time": time, "prices": dict(prices),
            "joined": places[known:], "equities": self.comparisons.last.astype("<f8").tobytes(),
        }  # fmt: skip

    def _note_tick(self, tick: int) -> None:
        self._first_tick = self._first_tick if self._points else tick
        self._last_tick = tick

    def _take(self, equities: Mapping[str, float], prices: Mapping[str, float]) -> None:
        self._baselines.point(prices)
        benchmark = self._baselines.equities(prices)[self._season.benchmark]
        for bot in equities:
            self._first_points.setdefault(bot, benchmark)
        moves = [sorted((prices[name], last)) for name, last in self._last_prices.items() if name in prices]
        swings = [1.0 - low / high for low, high in moves if high > 0.0]
        self._comparisons.point(equities, benchmark, max(swings, default=0.0))
        self._last_prices = dict(prices)
        self._points += 1

    def benchmark_equity(self, prices: Mapping[str, float]) -> float:
        """Return the equity of the season's benchmark at the last known prices."""
        return self.baselines.equities(prices)[self._season.benchmark]

    def columns(
        self, order: Sequence[tuple[str, float, float | None]], prices: Mapping[str, float]
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return what each row of a board in this order says, and what the whole says.

        The order is of bot, equity, and what the benchmark was worth at the bot's first tick.
        """
        bots = [bot for bot, _, _ in order]
        verdicts = self.comparisons.judge(bots)
        benchmark, start = self.benchmark_equity(prices), self.baselines.rules.starting_cash
        rows = []
        for (bot, equity, first), verdict in zip(order, verdicts, strict=True):
            # The benchmark counts from the bot's first tick on: only what it could have had.
            since = self._first_points.get(bot, benchmark) if first is None else first
            gained = benchmark / since - 1.0 if since > 0.0 else 0.0
            rows.append({
                "excess_pct": (equity / start - 1.0 - gained) * 100.0,
                "verdict": verdict.against_benchmark.value, "verdict_next": verdict.against_next.value,
                "tie_first": verdict.tie_first, "tie_last": verdict.tie_last, "batches": verdict.batches,
                "ticks_to_separate": self._ticks(verdict.more_batches),
            })  # fmt: skip
        return rows, self._summary(verdicts, rows, prices)

    def _ticks(self, batches: float | None) -> int | None:
        """Return how many ticks so many batches take, at as many ticks a score point as there were so far."""
        if batches is None:
            return None
        season = self._season
        ticks_a_point = max(1.0, season.score_interval / season.interval)
        if self._points > 1:
            ticks_a_point = (self._last_tick - self._first_tick) / (self._points - 1)
        ticks = round(batches * self.comparisons.batch * ticks_a_point)
        return ticks if ticks < 2**53 else None

    def _summary(
        self, verdicts: Sequence[BotSeparation], rows: Sequence[Mapping[str, Any]], prices: Mapping[str, float]
    ) -> dict[str, Any]:
        start = self.baselines.rules.starting_cash
        low, middle, high = self.baselines.band(prices)
        names = {CASH: "cash", EQUAL_WEIGHT: "equal weight"}
        return {
            "benchmark": self._season.benchmark,
            "score_interval": self._season.score_interval,
            "periods": self.comparisons.returns,
            "batch_periods": self.comparisons.batch,
            "batches": self.comparisons.batches,
            "pairs": self.comparisons.pairs_shown,
            "separation": separation_words(
                [(v.tie_first, v.tie_last) for v in verdicts],
                self.comparisons.batches,
                None if not rows else rows[0]["ticks_to_separate"],
            ),
            "baselines": [
                {"name": names.get(name, f"buy and hold {name}"), "equity": equity,
                 "return_pct": (equity / start - 1.0) * 100.0}
                for name, equity in self.baselines.equities(prices).items()
            ],
            "random_band": {
                "traders": 200, "low": low, "median": middle, "high": high,
                "low_pct": (low / start - 1.0) * 100.0, "median_pct": (middle / start - 1.0) * 100.0,
                "high_pct": (high / start - 1.0) * 100.0,
            },
        }  # fmt: skip

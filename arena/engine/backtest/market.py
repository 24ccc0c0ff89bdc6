"""A recorded market, tick by tick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from arena.core.exchange import Conditions
from arena.core.scoring import default_score_interval, score_ticks
from arena.feeds.base import MOST_CELLS
from arena.runtime.wire import pack_run

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from arena.feeds.base import History


@dataclass
class RecordedMarket:
    """Recorded ticks: `rows` is float64 (ticks, 1 + symbols), time first, NaN for no price.

    `conditions` are those of the ticks that had any. A symbol that has lost its price is valued at
    its last one: `marks` is `rows` with these carried on, from `before` where the first rows lack them.
    """

    symbols: tuple[str, ...]
    rows: npt.NDArray[np.float64]
    conditions: Mapping[int, Conditions] = field(default_factory=dict)
    before: Mapping[str, float] = field(default_factory=dict)
    marks: npt.NDArray[np.float64] = field(init=False)
    whole: bool = field(init=False)
    values: memoryview[float] = field(init=False, repr=False)
    _head: bytes = field(init=False, repr=False)
    _alone: tuple[int, bytes] = field(init=False, repr=False, default=(-1, b""))

    def __post_init__(self) -> None:
        import numpy as np

        self.rows = np.ascontiguousarray(self.rows, dtype=np.float64)
        self.marks = carried(self.rows, [self.before.get(symbol) for symbol in self.symbols])
        self.whole = self.marks is self.rows
        # The same doubles one after another: a single one costs a tenth of what numpy takes to give it.
        self.values = memoryview(self.rows.reshape(-1))  # type: ignore[arg-type]
        self._head = pack_run(b"", 1, self.symbols, None, with_symbols=False, whole=self.whole)

    @cached_property
    def interval(self) -> float | None:
        """Return the usual seconds between two ticks, None below two ticks."""
        import numpy as np

        return float(np.median(np.diff(self.rows[:, 0]))) if len(self) > 1 else None

    @cached_property
    def score_ticks(self) -> npt.NDArray[np.int64]:
        """Return the ticks that are points of the score clock."""
        return score_ticks(self.rows[:, 0], default_score_interval(self.interval or 0.0, replay=True))

    def __len__(self) -> int:
        return len(self.rows)

    def alone(self, n: int) -> bytes:
        """Return tick n as a run of its own; the same object again while it is asked for, for many bots."""
        if self._alone[0] != n:
            width = self.rows.shape[1]
            self._alone = (n, self._head + self.values[n * width : (n + 1) * width])
        return self._alone[1]

    def each_alone(self, first: int, most: int) -> Iterator[bytes]:
        """Yield the ticks from `first` on, at most so many, each as a run of its own."""
        head, values, width = self._head, self.values, self.rows.shape[1]
        for at in range(first * width, min(first + most, len(self)) * width, width):
            yield head + values[at : at + width]

    def prices(self, n: int) -> dict[str, float]:
        """Return the prices of tick n."""
        return self._priced(self.rows[n].tolist())

    def last_prices(self, n: int) -> dict[str, float]:
        """Return the last known prices as of tick n."""
        return self._priced(self.marks[n].tolist())

    def _priced(self, row: list[float]) -> dict[str, float]:
        if self.whole:
            return dict(zip(self.symbols, row[1:], strict=True))
        return {s: p for s, p in zip(self.symbols, row[1:], strict=True) if p == p}  # noqa: PLR0124

    def time(self, n: int) -> float:
        """Return the time of tick n."""
        return float(self.rows[n, 0])


def part_of_market(market: RecordedMarket, first: int, end: int) -> RecordedMarket:
    """Return the ticks from `first` to before `end`; what is known before them is known."""
    conditions = {n - first: each for n, each in market.conditions.items() if first <= n < end}
    before = market.last_prices(first - 1) if first else market.before
    return RecordedMarket(market.symbols, market.rows[first:end], conditions, before)


def carried(rows: npt.NDArray[np.float64], before: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Return the rows with each missing price replaced by the one before it; the same array if none is missing."""
    import numpy as np

    missing = np.isnan(rows)
    if not missing.any():
        return rows
    filled = rows.copy()
    for column, price in enumerate(before, 1):
        gaps = missing[:, column]
        last = np.where(gaps, -1, np.arange(len(rows)))
        last = np.maximum.accumulate(last)
        first = np.nan if price is None else price
        filled[:, column] = np.where(last >= 0, rows[last, column], first)
    return filled


def read_market(
    specs: Sequence[str],
    interval: float | None,
    default_interval: float,
    say: Callable[[str], None],
    columns: str | None = None,
    zone: str | None = None,
    bar: str | None = None,
    most_cells: int = MOST_CELLS,
) -> RecordedMarket:
    """Read market files as ticks; what was skipped, reversed or guessed is said."""
    import numpy as np

    from arena.feeds.history import load_history

    history = load_history(
        specs, interval=interval, default_interval=default_interval, columns=columns, zone=zone, bar=bar,
        most_cells=most_cells,
    )  # fmt: skip
    for note in history.notes:
        say(note)
    rows = np.ascontiguousarray(np.column_stack([history.times, history.prices]), dtype=np.float64)
    return RecordedMarket(history.symbols, rows, _conditions(history))


def _conditions(history: History) -> dict[int, Conditions]:
    """Return the conditions of the ticks at which recorded symbols came to their end or were halted."""
    import numpy as np

    barred: dict[int, dict[str, str]] = {}
    ended: dict[int, dict[str, float | None]] = {}
    for symbol, changes in sorted(history.halts.items()):
        priced = np.isfinite(history.prices[:, history.symbols.index(symbol)])
        for (begin, reason), (end, _) in pairwise([*changes, (np.inf, "")]):
            first, last = np.searchsorted(history.times, (begin, end)).tolist()
            for n in range(first, last if reason else first):
                if priced[n]:
                    barred.setdefault(n, {})[symbol] = halted(symbol, reason)
    for symbol, (time, price) in sorted(history.resolutions.items()):
        n = int(np.searchsorted(history.times, time))
        ended.setdefault(n, {})[symbol] = price
        barred.setdefault(n, {})[symbol] = f"Market {symbol} has ended."
    return {n: Conditions(reasons, ended.get(n, {})) for n, reasons in sorted(barred.items())}


def halted(symbol: str, reason: str) -> str:
    """Return why orders on a halted symbol are rejected."""
    return f"Trading of {symbol} is halted ({reason})"

"""What every reader makes of a file, and how it tells what was wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

DEFECTS = {
    "unparsable": "rows that could not be parsed, skipped",
    "not_a_number": "rows whose price is not a number, skipped",
    "not_positive": "rows whose price is zero or below, skipped",
    "one_sided": "quotes that lack a bid or an ask, skipped",
    "out_of_order": "rows out of order in time, skipped",
    "sorted": "bars out of order in time, sorted",
    "duplicate_time": "rows that repeat the time of a later row, which counts instead",
    "repeated_id": "rows that repeat a trade id of the 10,000 rows before them, kept",
    "identical": "rows identical to another of the same time, kept, for two trades may look alike",
    "overridden": "rows overridden by the same symbol and time in a later file",
    "other_symbols": "rows of symbols that were not asked for, left out",
    "reversed": "newest row first, so the file was reversed",
    "gaps": "gaps between bars",
    "missing_bars": "bars missing in those gaps, prices carried",
    "zero_volume": "bars without volume, kept",
    "unclosed_bar": "bars that were not closed yet when they were fetched, kept",
    "unknown_bar_length": "bars of unknown length, which stand at their own time",
    "clock_jump": "jumps of the clock or long silences, prices carried over them",
    "truncated_day": "periods that end long before the file name says, nothing filled in",
    "truncated_file": "files that are cut short, read as far as they go",
    "suspicious": "prints the vendor calls suspicious, kept",
    "reconnects": "reconnects of the recorder",
    "repeated": "prices that an earlier frame had brought, skipped",
    "overtaken": "prices older than one received before them, which no live tick would show, skipped",
    "other_feed": "prices of symbols that another feed sets, skipped",
    "after_end": "prices of symbols that had ended, skipped",
    "damaged_blocks": "damaged stretches of the recording, skipped",
    "torn_tail": "recordings that end within a block, read up to the last whole one",
    "lost_frames": "frames that the recorder could not write",
    "unread_frames": "frames of feeds that cannot be read, skipped",
    "unknown_frames": "frames of an unknown kind, ignored",
    "no_time": "price frames without any time, skipped",
    "no_symbol": "price frames without a symbol, skipped",
    "withdrawn": "trades the venue has cancelled, skipped",
    "unrecognised_member": "members of the archive that hold no market, left out",
}


class RowKind(StrEnum):
    """What a file's rows are, which decides where its ticks stand."""

    NATIVE = "native"
    BARS = "bars"
    TRADES = "trades"


_SHOWN = 3  # cells that a refusal shows


@dataclass(slots=True)
class Evidence:
    """What the cells of a whole file say about the guesses by which they are read.

    `low` and `high` are the least and the greatest time as a number, `outside` counts times that are not
    within 1900 and 2100 as read. `candles` are rows in which open, high, low and close were compared,
    `quotes` those with a bid and an ask; `point` tells that a number has a decimal
    point for certain. Of each kind of contradiction the first few cells are kept.
    """

    rows: int = 0
    low: float = np.inf
    high: float = -np.inf
    outside: int = 0
    candles: int = 0
    quotes: int = 0
    not_positive: int = 0
    point: bool = False
    wrong: Counter[str] = field(default_factory=Counter)
    cells: dict[str, list[str]] = field(default_factory=dict)
    odd_candles: list[list[float]] = field(default_factory=list)
    first_row: str = ""
    last_row: str = ""

    def contradict(self, kind: str, number: int, cells: Iterable[str]) -> None:
        """Count cells that contradict a guess and keep a few of them."""
        if number:
            self.wrong[kind] += int(number)
            kept = self.cells.setdefault(kind, [])
            kept += [str(cell)[:60] for cell in cells][: _SHOWN - len(kept)]

    def shown(self, kind: str) -> str:
        """Return the kept cells, quoted."""
        return ", ".join(map(repr, self.cells.get(kind, [])))


@dataclass(slots=True)
class Report:
    """What was found out about one file; `name` opens each of its notes.

    `columns` says by role which columns of a table were read, `understood` what else was decided about it.
    """

    name: str
    defects: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    understood: dict[str, str] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)

    def count(self, kind: str, number: int = 1) -> None:
        """Add `number` defects of a kind that `DEFECTS` knows."""
        if number:
            self.defects[kind] += int(number)

    def remark(self, sentence: str) -> None:
        """Add a sentence that is no defect."""
        self.remarks.append(sentence)

    def notes(self) -> list[str]:
        """Return all of it as sentences."""
        counted = [f"{words}: {self.defects[kind]:,}." for kind, words in DEFECTS.items() if kind in self.defects]
        return [f"{self.name}: {sentence}" for sentence in self.remarks + counted]


@dataclass(slots=True)
class Rows:
    """A file's rows as read, before anything was checked.

    A NaN time could not be parsed. `broken` marks prices whose cell could not be parsed, as against
    cells that say NaN. `codes` point into `symbols`, -1 where a row has none; None means that the
    file does not name its symbol. `again` marks trades that say once more what a row before them said.
    """

    times: Floats
    prices: Floats
    broken: Bools | None = None
    symbols: tuple[str, ...] = ()
    codes: Codes | None = None
    volumes: Floats | None = None
    again: Bools | None = None

    def take(self, chosen: Bools | npt.NDArray[np.intp] | slice) -> Rows:
        """Return the chosen rows."""
        return Rows(
            self.times[chosen],
            self.prices[chosen],
            None if self.broken is None else self.broken[chosen],
            self.symbols,
            None if self.codes is None else self.codes[chosen],
            None if self.volumes is None else self.volumes[chosen],
            None if self.again is None else self.again[chosen],
        )


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of all rows of a symbol where not all were kept: how many, the first time and the last."""

    rows: int
    first: float
    last: float


@dataclass(slots=True)
class Tape:
    """One readable file: per symbol the times, in order, and the prices.

    `ends` are the symbols that came to their end: the time, and the price holdings are settled at;
    `halts` by symbol from when on its trading was halted, and why, or went on, where that is empty.
    Where only the rows that a tick can show were kept, `facts` tell of all of them, and `reread`
    returns all times of a symbol between two. `step` is the length of a bar.
    """

    kind: RowKind
    series: dict[str, tuple[Floats, Floats]]
    report: Report
    ends: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    halts: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    reread: Callable[[str, float, float], Floats] | None = None
    step: float | None = None

    def fact(self, symbol: str) -> Fact:
        """Return how many rows of a symbol count, and when the first and the last one is."""
        times = self.series[symbol][0]
        return self.facts.get(symbol) or Fact(len(times), float(times[0]), float(times[-1]))

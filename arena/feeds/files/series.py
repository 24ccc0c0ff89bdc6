"""The rows of a file to one series of prices a symbol, whatever order they stand in.

A file in order takes one pass; one that stands newest first, or one symbol after the other, takes two.
Time runs forward: of rows out of order the late ones go. Only where one early row, a clock that jumped
ahead, would condemn the many rows after it is that row the one to go.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from arena.feeds.files.columns import Layout
from arena.feeds.files.memory import require_room_for_prices
from arena.feeds.files.naming import clean
from arena.feeds.files.report import Bools, Codes, Floats, Report, Rows
from arena.feeds.files.times import EARLIEST

UNJUST = 10  # late rows per early row from which the early row is the wrong one
_ROOM_EVERY = 4_000_000  # rows after which it is looked whether there is memory for more
_MOSTLY = 0.9  # share of steps that must go back for a file to be newest-first


def is_backward(back: int, moved: int) -> bool:
    """Tell whether rows stand newest first, by how many of their steps in time go back."""
    return back > _MOSTLY * moved


def usable(rows: Rows, report: Report) -> Rows:
    """Drop and count rows without a time, a symbol, or a finite positive price."""
    if not len(rows.times) or _sound(rows):
        return rows
    lost = ~(rows.times >= EARLIEST) | np.isinf(rows.times)
    if rows.broken is not None:
        lost |= rows.broken
    if rows.codes is not None:
        lost |= rows.codes < 0
    strange = ~lost & ~np.isfinite(rows.prices)
    low = ~lost & ~strange & (rows.prices <= 0)
    report.count("unparsable", int(lost.sum()))
    report.count("not_a_number", int(strange.sum()))
    report.count("not_positive", int(low.sum()))
    bad = lost | strange | low
    return rows.take(~bad) if bad.any() else rows


def _sound(rows: Rows) -> bool:
    """Tell in few passes that nothing is wrong; NaN makes every comparison false."""
    return bool(
        rows.broken is None
        and rows.times.min() >= EARLIEST
        and rows.prices.min() > 0
        and np.isfinite(rows.times.max() + rows.prices.max())
        and (rows.codes is None or rows.codes.min() >= 0)
    )


def kept(times: Floats) -> Bools:
    """Mark the rows that stay, of times that should run forward."""
    keep: Bools = times >= np.maximum.accumulate(times)
    late = int((~keep).sum())
    if late <= UNJUST:
        return keep
    longest = _longest(times)
    return longest if late > UNJUST * int((~longest).sum()) else keep


def _longest(times: Floats) -> Bools:
    """Mark the longest run of rows that never goes back; what is in order anyway needs no search."""
    keep = np.ones(len(times), dtype=bool)
    least_after = np.minimum.accumulate(times[::-1])[::-1]
    whole = np.maximum.accumulate(times)[:-1] <= least_after[1:]
    borders = np.concatenate([[0], np.flatnonzero(whole) + 1, [len(times)]])
    del least_after, whole
    for place in np.flatnonzero(np.diff(borders) > 1):
        tangle = slice(int(borders[place]), int(borders[place + 1]))
        keep[tangle] = _longest_run(times[tangle])
    return keep


def _longest_run(times: Floats) -> Bools:
    """Mark the longest run of rows that never goes back, which costs the fewest rows.

    Patience sorting from the end, so that of two rows that exclude each other the earlier stays.
    """
    tops = array("d")
    heads = array("q")
    before = np.full(len(times), -1)
    for place in range(len(times) - 1, -1, -1):
        value = -float(times[place])
        pile = bisect_right(tops, value)
        if pile == len(tops):
            tops.append(value)
            heads.append(place)
        else:
            tops[pile] = value
            heads[pile] = place
        before[place] = heads[pile - 1] if pile else -1
    keep = np.zeros(len(times), dtype=bool)
    place = heads[-1]
    while place >= 0:
        keep[place] = True
        place = int(before[place])
    return keep


def in_order(times: Floats, prices: Floats, report: Report) -> tuple[Floats, Floats]:
    """Return bars in the order of time, and say in which other one they stood."""
    steps = np.diff(times)
    back = int((steps < 0).sum())
    if not back:
        return times, prices
    if is_backward(back, int((steps != 0).sum())):
        report.defects["reversed"] = 1
        times, prices = times[::-1], prices[::-1]
    late = int((times < np.maximum.accumulate(times)).sum())
    if not late:
        return times, prices
    report.count("sorted", late)
    order = np.argsort(times, kind="stable")
    return times[order], prices[order]


def last_of_each_time(times: Floats, prices: Floats, report: Report) -> tuple[Floats, Floats]:
    """Keep the last row of each time, for bars and tables have one price a time."""
    last = np.append(times[1:] != times[:-1], values=True)
    report.count("duplicate_time", int((~last).sum()))
    return (times, prices) if last.all() else (times[last], prices[last])


_SEARCHED = 4_000_000  # rows whose times are kept at once, 8 bytes each, and more of those out of order

Chunks = Callable[[Report], Iterator[Rows]]


@dataclass(slots=True)
class Content:
    """The rows of a file, as often as one wants to read them, and what they are.

    `symbol` is one that the file's name or folder tells by the rules of its format. `again` returns the
    same file read by another layout. `names` are the header's.
    """

    chunks: Chunks
    layout: Layout
    symbol: str | None = None
    again: Callable[[Layout], Content] | None = None
    names: Sequence[str] | None = None


@dataclass(slots=True)
class Judge:
    """Decides which rows of a group count, pass by pass.

    A backward group needs `ceilings`: for each chunk the latest time in the chunks after it. `marks`
    are the verdicts of an earlier pass.
    """

    backward: bool = False
    ceilings: list[float] = field(default_factory=list)
    marks: Bools | None = None
    high: float = -np.inf
    late: int = 0
    seen: int = 0

    def keep(self, times: Floats, chunk: int) -> Bools:
        """Mark the rows that count, of the group's next ones."""
        if self.marks is not None:
            keep = self.marks[self.seen : self.seen + len(times)]
        elif not self.backward and times[0] >= self.high and (times[1:] >= times[:-1]).all():
            keep = np.ones(len(times), dtype=bool)
            self.high = float(times[-1])
        elif self.backward:
            later = np.maximum.accumulate(times[::-1])[::-1]
            keep = times >= np.maximum(later, self.ceilings[chunk])
        else:
            keep = times >= np.maximum(np.maximum.accumulate(times), self.high)
            self.high = max(self.high, float(times.max()))
        self.seen += len(times)
        self.late += len(times) - int(np.count_nonzero(keep))
        return keep


class Flow:
    """The rows of one file, and the lines they make; `grid` thins the lines.

    Of bars all rows count, in whatever order they stand, and `clocks` has the times of those without a
    price as well.
    """

    def __init__(self, chunks: Chunks, grid: float | None, report: Report, *, bars: bool = False) -> None:
        self._chunks = chunks
        self._grid = grid
        self._bars = bars
        self.clocks: dict[str, list[Floats]] = {}
        self._names: dict[str, int] = {}
        self._judges: dict[int, Judge] = {}
        self._lines: dict[int, SymbolPrices] = {}
        survey = Survey()
        looked = 0
        for number, rows in enumerate(self._rows(report)):
            if (count := self._kept()) >= looked + _ROOM_EVERY:
                require_room_for_prices(report.name, looked := count)
            survey.add(rows.times, rows.codes, self._names[rows.symbols[0]])
            self._add(rows, number)
        self._reconsider(survey, report)
        report.count("out_of_order", sum(judge.late for judge in self._judges.values()))

    def _kept(self) -> int:
        """Return how many prices are in memory."""
        return sum(line.kept for line in self._lines.values())

    def lines(self) -> dict[str, SymbolPrices]:
        """Return the lines by symbol; rows without symbols come back under the empty name."""
        names = {code: name for name, code in self._names.items()}
        return {names[code]: line for code, line in self._lines.items() if line.rows}

    def times(self, name: str, first: float, last: float) -> Floats:
        """Read the file once more, for all times of a symbol between two; a thinned line has not all of them."""
        judges = {group: Judge(j.backward, j.ceilings, j.marks) for group, j in self._judges.items()}
        code, found = self._names[name], []
        for number, rows in enumerate(self._rows(Report(""))):
            for group, piece in self._pieces(rows):
                keep = judges[group].keep(piece.times, number)
                keep &= (piece.times >= first) & (piece.times <= last)
                if piece.codes is not None:
                    keep &= piece.codes == code
                if piece.codes is not None or self._names[piece.symbols[0]] == code:
                    found.append(piece.times[keep])
        return np.sort(np.concatenate(found))

    def _rows(self, report: Report) -> Iterator[Rows]:
        """Yield the usable rows of one pass; their codes are the file's own."""
        for rows in self._chunks(report):
            if self._bars:
                self._note_clocks(rows)
            found = usable(rows, report)
            if len(found.times):
                yield self._numbered(found)

    def _note_clocks(self, rows: Rows) -> None:
        known = np.isfinite(rows.times)
        if rows.codes is None:
            name = rows.symbols[0] if rows.symbols else ""
            self.clocks.setdefault(name, []).append(rows.times[known])
            return
        for code, name in enumerate(rows.symbols):
            self.clocks.setdefault(name, []).append(rows.times[known & (rows.codes == code)])

    def _numbered(self, rows: Rows) -> Rows:
        """Give codes that hold for the whole file; without codes all rows are of the one symbol."""
        symbols, codes = tuple(map(clean, rows.symbols)) or ("",), rows.codes
        table = np.array([self._names.setdefault(symbol, len(self._names)) for symbol in symbols])
        if codes is not None:
            codes = table[codes]
            if codes.min() == codes.max():
                symbols, codes = (self._name(int(codes[0])),), None
        return replace(rows, symbols=symbols, codes=codes)

    def _name(self, code: int) -> str:
        return next(name for name, own in self._names.items() if own == code)

    def _reconsider(self, survey: Survey, report: Report) -> None:
        """Read the file again where it is not simply in order."""
        if not survey.back:
            return
        if self._bars:
            if ALL not in survey.groups():
                report.remark("The file holds its symbols one after the other; they were merged by time.")
            return
        groups = survey.groups()
        backward = {group for group, (moved, back) in groups.items() if is_backward(back, moved)}
        if backward:
            report.defects["reversed"] = 1
        if ALL not in groups:
            report.remark("The file holds its symbols one after the other; they were merged by time.")
        if backward or ALL not in groups:
            self._again({group: Judge(group in backward, survey.ceilings(group)) for group in groups})
        tangled = [group for group, judge in self._judges.items() if judge.late > UNJUST]
        if searched := [group for group in tangled if self._judges[group].seen <= _SEARCHED]:
            self._untangle(searched)
        if len(searched) < len(tangled):
            report.remark(
                "Many rows are late; there are too many to find out whether a few early ones are wrong instead."
            )

    def _again(self, judges: dict[int, Judge]) -> None:
        self._judges = judges
        self._lines = {}
        for number, rows in enumerate(self._rows(Report(""))):
            self._add(rows, number)

    def _untangle(self, tangled: list[int]) -> None:
        """Find the wrong rows among all times of the groups that have many late ones."""
        times: dict[int, list[Floats]] = {group: [] for group in tangled}
        for rows in self._rows(Report("")):
            for group, piece in self._pieces(rows):
                if group in times:
                    times[group].append(piece.times)
        judges = {group: Judge(j.backward, j.ceilings) for group, j in self._judges.items()}
        for group, judge in judges.items():
            if group in times:
                whole = np.concatenate(times.pop(group))
                judge.marks = kept(whole[::-1])[::-1] if judge.backward else kept(whole)
        self._again(judges)

    def _pieces(self, rows: Rows) -> Iterator[tuple[int, Rows]]:
        """Yield the groups of a chunk whose order is judged apart."""
        if not self._judges or ALL in self._judges:
            yield ALL, rows
        elif rows.codes is None:
            yield self._names[rows.symbols[0]], rows
        else:
            borders = np.flatnonzero(np.diff(rows.codes)) + 1
            for start, end in zip([0, *borders], [*borders, len(rows.codes)], strict=True):
                piece = rows.take(slice(int(start), int(end)))
                code = int(rows.codes[start])
                piece.symbols, piece.codes = (self._name(code),), None
                yield code, piece

    def _add(self, rows: Rows, number: int) -> None:
        for group, piece in self._pieces(rows):
            judge = self._judges.setdefault(group, Judge())
            if self._bars:
                self._split(piece, judge)
                continue
            keep = judge.keep(piece.times, number)
            self._split(piece if keep.all() else piece.take(keep), judge)

    def _split(self, rows: Rows, judge: Judge) -> None:
        """Hand rows to the lines of their symbols."""
        if rows.codes is None:
            self._line(self._names[rows.symbols[0]], judge).add(rows.times, rows.prices, rows.volumes, rows.again)
            return
        order = np.argsort(rows.codes, kind="stable")
        codes: Codes = rows.codes[order]
        borders = np.flatnonzero(np.diff(codes)) + 1
        for part in np.split(order, borders):
            if part.size:
                volumes = None if rows.volumes is None else rows.volumes[part]
                again = None if rows.again is None else rows.again[part]
                self._line(int(rows.codes[part[0]]), judge).add(rows.times[part], rows.prices[part], volumes, again)

    def _line(self, code: int, judge: Judge) -> SymbolPrices:
        return self._lines.setdefault(code, SymbolPrices(self._grid, judge.backward))


ALL = -1  # the group of all rows, where symbols do not stand one after the other


class Survey:
    """Counts steps in time: of all rows and, while symbols might stand one after the other, of each."""

    def __init__(self) -> None:
        self._rows = 0
        self._last = -np.inf
        self._stacked = True
        self._run = ALL
        self._moved: Counter[int] = Counter()
        self._back: Counter[int] = Counter()
        self._peaks: list[dict[int, float]] = []

    @property
    def back(self) -> int:
        """Return how many steps in time go back."""
        return self._back[ALL]

    def add(self, times: Floats, codes: Codes | None, code: int) -> None:
        """Take the next rows of the file, at least one; without `codes` all of them have one code."""
        moved, back = np.empty((2, len(times)), dtype=bool)
        np.not_equal(times[1:], times[:-1], out=moved[1:])
        np.less(times[1:], times[:-1], out=back[1:])
        moved[0] = self._rows and times[0] != self._last
        back[0] = self._rows and times[0] < self._last
        self._count(ALL, moved, back)
        self._peaks.append({ALL: float(times.max())})
        for group, start, end in _runs(codes, code, len(times)):
            if not self._stacked:
                break
            self._take_run(group, times[start:end], moved[start:end], back[start:end])
        self._rows += len(times)
        self._last = float(times[-1])

    def _take_run(self, group: int, times: Floats, moved: Bools, back: Bools) -> None:
        known = group in self._moved
        self._stacked = self._stacked and (group == self._run or not known)
        self._peaks[-1][group] = float(times.max())
        # The step from another symbol's last row says nothing.
        begin = 0 if group == self._run else 1
        self._count(group, moved[begin:], back[begin:])
        self._run = group

    def _count(self, group: int, moved: Bools, back: Bools) -> None:
        self._moved[group] += int(np.count_nonzero(moved))
        self._back[group] += int(np.count_nonzero(back))

    def groups(self) -> dict[int, tuple[int, int]]:
        """Return the groups whose order is judged apart, each with its steps and those that go back."""
        codes = [code for code in self._moved if code != ALL]
        groups = codes if self._stacked and 1 < len(codes) < self._rows else [ALL]
        return {group: (self._moved[group], self._back[group]) for group in groups}

    def ceilings(self, group: int) -> list[float]:
        """Return for each chunk the latest time of a group in the chunks after it."""
        peaks = [peak.get(group, -np.inf) for peak in self._peaks]
        later = np.maximum.accumulate([-np.inf, *peaks[:0:-1]])[::-1]
        return [float(peak) for peak in later]


def _runs(codes: Codes | None, code: int, rows: int) -> Iterator[tuple[int, int, int]]:
    """Yield the runs of equal codes with their borders."""
    if codes is None:
        yield code, 0, rows
        return
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), rows]
    for start, end in pairwise(borders):
        yield int(codes[start]), start, end


QUIET = 6 * 3600.0  # seconds; less is a thin market, not a clock
_FEW = 8  # rows for each point of a grid, from which it is quicker to look the points up


@dataclass(slots=True)
class SymbolPrices:
    """The prices of one symbol, piece by piece in the order of the file, and facts about all of its rows.

    Of the prices between two points of a `grid` (seconds) only the last is kept, for no tick can show
    the others; so memory is bounded by the ticks and not by the rows. `backward` lines are read
    newest first.
    """

    grid: float | None = None
    backward: bool = False
    rows: int = 0
    kept: int = 0  # rows in `parts`
    moving: int = 0  # steps in time that are not zero
    silent: int = 0  # bars without volume
    again: int = 0  # trades that say what a row before them said
    first: float = np.inf
    last: float = -np.inf
    pauses: list[tuple[float, float]] = field(default_factory=list)  # long steps: their begin and length
    parts: list[tuple[Floats, Floats]] = field(default_factory=list)

    def add(self, times: Floats, prices: Floats, volumes: Floats | None = None, again: Bools | None = None) -> None:
        """Take the next rows that count, in the order of the file."""
        if not len(times):
            return
        if volumes is not None:
            self.silent += int((volumes == 0).sum())
        if again is not None:
            self.again += int(np.count_nonzero(again))
        if self.backward:
            times, prices = times[::-1], prices[::-1]
        self._take_steps(times)
        self.rows += len(times)
        self.first, self.last = min(self.first, float(times[0])), max(self.last, float(times[-1]))
        part = (times, prices) if self.grid is None else thinned(times, prices, self.grid)
        self.kept += len(part[0])
        self.parts.append(part)

    def _take_steps(self, times: Floats) -> None:
        if self.rows:
            # The step between this piece and the one before it in the file.
            edge = (float(times[-1]), self.first) if self.backward else (self.last, float(times[0]))
            self._take_step(*edge)
        self.moving += int(np.count_nonzero(times[1:] != times[:-1]))
        if times[-1] - times[0] > QUIET:
            steps = np.diff(times)
            wide = np.flatnonzero(steps > QUIET)
            self.pauses += zip(times[wide].tolist(), steps[wide].tolist(), strict=True)

    def _take_step(self, begin: float, end: float) -> None:
        self.moving += end > begin
        if end - begin > QUIET:
            self.pauses.append((begin, end - begin))

    def series(self) -> tuple[Floats, Floats]:
        """Return the times in order, and the prices."""
        parts = self.parts[::-1] if self.backward else self.parts
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([times for times, _ in parts]), np.concatenate([prices for _, prices in parts])


def thinned(times: Floats, prices: Floats, grid: float) -> tuple[Floats, Floats]:
    """Return the last row before each point of the grid; the times are in order."""
    first, end = _numbers(times[[0, -1]], grid)
    if end - first < len(times) / _FEW:
        places = np.searchsorted(times, np.arange(first, end + 1) * grid, side="right") - 1
        found = places[np.append(places[1:] != places[:-1], values=True)]
        return times[found], prices[found]
    numbers = _numbers(times, grid)
    last = np.append(numbers[1:] != numbers[:-1], values=True)
    return times[last], prices[last]


def _numbers(times: Floats, grid: float) -> Floats:
    """Return the numbers of the first points of the grid at or after times."""
    numbers = np.ceil(times / grid)
    # The quotient may round across a whole number, so the product decides.
    numbers -= (numbers - 1) * grid >= times
    numbers += numbers * grid < times
    return numbers

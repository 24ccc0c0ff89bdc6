"""Rows that pass by in chunks to one line per symbol, whatever their order.

One pass is enough for a file whose rows are in order, with a late one here and there. Rows that stand
newest first, or one symbol after the other, take a second pass, which knows what comes. Only where
many rows are late are times kept in memory, to find out which rows are the wrong ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from arena.feeds.files.layouts import Layout
from arena.feeds.files.line import Line
from arena.feeds.files.naming import clean
from arena.feeds.files.order import UNJUST, is_backward, kept, usable
from arena.feeds.files.survey import ALL, Survey
from arena.feeds.files.tape import Bools, Codes, Floats, Report, Rows

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
        self._lines: dict[int, Line] = {}
        survey = Survey()
        for number, rows in enumerate(self._rows(report)):
            survey.add(rows.times, rows.codes, self._names[rows.symbols[0]])
            self._add(rows, number)
        self._reconsider(survey, report)
        report.count("out_of_order", sum(judge.late for judge in self._judges.values()))

    def lines(self) -> dict[str, Line]:
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

    def _line(self, code: int, judge: Judge) -> Line:
        return self._lines.setdefault(code, Line(self._grid, judge.backward))

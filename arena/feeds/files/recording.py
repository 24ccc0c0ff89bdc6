"""Our own recordings: the frames of an `.arena` file to prices, as a live market would have shown them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from arena.feeds.base import Halt, PriceUpdate, Resolution
from arena.feeds.files.columns import Layout
from arena.feeds.files.reader import tape_of
from arena.feeds.files.report import Report, RowKind, Rows, Tape
from arena.feeds.files.series import Content
from arena.feeds.files.sources import Source
from arena.feeds.recording.layout import RecordingSession
from arena.feeds.recording.reader import Damage, FrameBatch, sessions
from arena.feeds.recording.replay import PriceDecision, SessionReplay
from arena.feeds.venues import parser_for

Ends = dict[str, tuple[float, float | None]]
Halts = dict[str, list[tuple[float, str]]]


def read_tape(path: str, symbol: str | None, grid: float | None) -> Tape:
    """Return the tape of a recording, read block by block; `symbol` is the one its flag gave, if any.

    Only what ticks every `grid` seconds can show is kept; without a grid it is everything.
    """
    report = Report(Path(path).name)
    recorded = _Recorded(path)
    content = Content(recorded.chunks, Layout(RowKind.TRADES, (), ()))
    tape = tape_of(content, Source(path, "", b""), report, symbol, grid)
    tape.ends, tape.halts = recorded.ends, recorded.halts
    if symbol is not None and symbol not in recorded.symbols:
        # The only symbol there is was given another name.
        [name] = recorded.symbols
        tape.ends = {symbol: recorded.ends[name]} if name in recorded.ends else {}
        tape.halts = {symbol: recorded.halts[name]} if name in recorded.halts else {}
    return tape


class _Recorded:
    """A recording as chunks of rows; once read, `symbols` had a price, `ends` came to one, `halts` had some."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.symbols: tuple[str, ...] = ()
        self.ends: Ends = {}
        self.halts: Halts = {}

    def chunks(self, report: Report) -> Iterator[Rows]:
        """Yield the prices of one block after the other, at the times of receipt."""
        told = _Told(report)
        with Path(self._path).open("rb") as stream:
            for found in sessions(stream):
                if isinstance(found, RecordingSession):
                    told.begin(found)
                elif isinstance(found, Damage):
                    told.damaged(found)
                elif len((rows := told.take(found)).times):
                    yield rows
        told.conclude()
        self.symbols, self.ends, self.halts = tuple(told.codes), told.ends, told.halts


class _Told:
    """What a recording has told so far."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._replay: SessionReplay | None = None
        self._feeds: dict[str, None] = {}
        self._sessions = self._frames = 0
        self._span = (math.inf, -math.inf)
        self.codes: dict[str, int] = {}
        self.ends: Ends = {}
        self.halts: Halts = {}

    def begin(self, session: RecordingSession) -> None:
        """Go on with the next session's parsers, which know of no halt, as a server that starts anew."""
        for changes in self.halts.values():
            changes.append((session.opened_at, ""))
        self._sessions += 1
        self._replay = SessionReplay(session, parser_for)
        self._feeds |= dict.fromkeys(feed.name for feed in session.feeds)
        for problem in self._replay.problems:
            self._report.remark(problem)

    def take(self, batch: FrameBatch) -> Rows:
        """Return the prices in the frames of one block."""
        assert self._replay is not None
        shown: list[PriceUpdate] = []
        self._report.count("lost_frames", batch.lost)
        self._frames += len(batch.frames)
        for frame in batch.frames:
            time = frame.receive_time
            self._span = min(self._span[0], time), max(self._span[1], time)
            if not self._replay.can_parse(frame.feed):
                self._report.count("unread_frames")
            for news in self._replay.parse(frame):
                if isinstance(news, Resolution):
                    self._end(news)
                elif isinstance(news, Halt):
                    if self._replay.owns(news):
                        self.halts.setdefault(news.symbol, []).append((news.receive_time, news.reason))
                elif self._is_shown(news, self._replay.decide(news)):
                    shown.append(news)
        return self._rows(shown)

    def _is_shown(self, update: PriceUpdate, decision: PriceDecision) -> bool:
        if decision is not PriceDecision.SHOWN:
            self._report.count(decision.value)
        elif update.symbol in self.ends:
            self._report.count("after_end")
        else:
            return True
        return False

    def _end(self, end: Resolution) -> None:
        """Take the end of a symbol; the first word counts, as live."""
        if end.price is None or (math.isfinite(end.price) and end.price >= 0.0):
            self.ends.setdefault(end.symbol, (end.receive_time, end.price))

    def _rows(self, updates: list[PriceUpdate]) -> Rows:
        codes = [self.codes.setdefault(update.symbol, len(self.codes)) for update in updates]
        return Rows(
            np.array([update.receive_time for update in updates]),
            np.array([update.price for update in updates]),
            None,
            tuple(self.codes),
            np.array(codes, dtype=np.int64),
        )

    def damaged(self, damage: Damage) -> None:
        """Name what cannot be read."""
        if damage.torn:
            self._report.count("torn_tail")
            self._report.remark(f"Its last {damage.size:,} bytes are no whole block; the rest was read.")
        else:
            self._report.count("damaged_blocks")
            self._report.remark(f"{damage.size:,} bytes from byte {damage.offset:,} on are damaged and were skipped.")

    def conclude(self) -> None:
        """Say what the recording was."""
        words = f"{self._frames:,} frames in {self._sessions:,} session{'s' * (self._sessions != 1)}"
        if self._frames:
            first, last = (datetime.fromtimestamp(time, UTC).isoformat(" ", "seconds") for time in self._span)
            words += f", {first} to {last}"
        self._report.remark(f"A recording of {', '.join(self._feeds) or 'nothing'}: {words}.")

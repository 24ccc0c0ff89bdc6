"""Recording: takes frames from the feeds' thread and writes them from a thread of its own.

A block is written, and forced to the disk, every second or as soon as enough has come together, so
that a killed process loses at most that. A disk that is full ends the recording, not the feeds.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from arena.errors import MarketDataError
from arena.feeds.base import Frame
from arena.feeds.recording.layout import MAGIC, MAX_PAYLOAD, RECORD_BYTES, SESSIONS, Kind, pack_block, pack_record
from arena.feeds.recording.reader import is_recording, sound_end
from arena.feeds.recording.session import RecordedFeed, Session

log = logging.getLogger("arena.feeds.recording")


@dataclass(frozen=True, slots=True)
class Pacing:
    """When a block is full or due, and how many bytes may wait for a disk that is slow."""

    seconds: float = 1.0
    block_bytes: int = 256 * 1024
    waiting_bytes: int = MAX_PAYLOAD // 2


@dataclass(slots=True)
class _Batch:
    """What goes into the next block."""

    frames: list[tuple[int, Frame]] = field(default_factory=list)
    size: int = 0
    lost: int = 0

    def pack(self, session: int) -> bytes:
        payload = b"".join(pack_record(number, frame) for number, frame in self.frames)
        first, last = (self.frames[n][1].receive_time_ns if self.frames else 0 for n in (0, -1))
        return pack_block(
            Kind.FRAMES, payload, session, frames=len(self.frames), lost=self.lost, first=first, last=last
        )  # fmt: skip


class Recording:
    """An `.arena` file that is being written; `write` is what a LiveMarket records with.

    `frames` and `bytes` count what is safely in the file, `lost` what could not be kept; `problem`
    says in a sentence why the recording has ended by itself. MarketDataError if the file cannot be
    opened, or is there already and `append` is not asked for.
    """

    def __init__(
        self,
        path: Path,
        feeds: Sequence[RecordedFeed],
        *,
        append: bool = False,
        pacing: Pacing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.frames = 0
        self.lost = 0
        self.problem = ""
        self._pacing = pacing or Pacing()
        self._numbers = {feed.name: number for number, feed in enumerate(feeds)}
        self._file, before = _opened(path, append=append)
        self._session, self.bytes, self.cut_off = before.sessions % SESSIONS, before.bytes, before.cut_off
        self._news = threading.Condition()
        self._waiting = [_Batch()]
        self._waiting_bytes = 0
        self._closing = False
        self._begin(Session(tuple(feeds), clock()))
        self._thread = threading.Thread(target=self._main_loop, name="recording", daemon=True)
        self._thread.start()

    def _begin(self, session: Session) -> None:
        start = b"" if self.bytes else MAGIC
        try:
            self._put(start + pack_block(Kind.SESSION, session.pack(), self._session))
        except OSError as error:
            self._file.close()
            raise MarketDataError(f"{self.path} cannot be written: {error.strerror}.") from error

    def write(self, frame: Frame) -> None:
        """Take one frame; never waits for the disk, never raises."""
        number = self._numbers.get(frame.feed)
        size = RECORD_BYTES + len(frame.payload)
        with self._news:
            if self.problem or self._closing:
                return
            batch = self._waiting[-1]
            if number is None or self._waiting_bytes + size > self._pacing.waiting_bytes:
                self.lost += 1
                batch.lost += 1
                return
            batch.frames.append((number, frame))
            batch.size += size
            self._waiting_bytes += size
            if batch.size >= self._pacing.block_bytes:
                self._waiting.append(_Batch())
                self._news.notify()

    def close(self) -> None:
        """Write what is left and close the file."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()
        self._file.close()

    def _main_loop(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(self._is_due, self._pacing.seconds)
                batch = self._waiting.pop(0)
                self._waiting = self._waiting or [_Batch()]
                done = self._closing and not any(left.frames or left.lost for left in self._waiting)
            if batch.frames or batch.lost:
                self._save(batch)
            with self._news:
                self._waiting_bytes -= batch.size
            if done or self.problem:
                return

    def _is_due(self) -> bool:
        return self._closing or len(self._waiting) > 1

    def _save(self, batch: _Batch) -> None:
        try:
            self._put(batch.pack(self._session))
        except OSError as error:
            self._give_up(f"The recording {self.path} has ended: {error.strerror}. It is good up to here.")
        except Exception as error:
            log.exception("The recording has met a defect of ours")
            self._give_up(f"The recording {self.path} has ended by a defect of ours: {type(error).__name__}.")
        else:
            self.frames += len(batch.frames)

    def _give_up(self, problem: str) -> None:
        self.problem = problem
        log.error("%s", problem)
        # What was begun is no whole block, and what has no room is not missed.
        with contextlib.suppress(OSError):
            self._file.truncate(self.bytes)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())
        self.bytes += len(data)


@dataclass(frozen=True, slots=True)
class _Before:
    """What was in a file already: the sessions so far, the bytes kept, and those of a torn tail."""

    sessions: int = 0
    bytes: int = 0
    cut_off: int = 0


def _opened(path: Path, *, append: bool) -> tuple[FileIO, _Before]:
    """Open a recording at its end."""
    try:
        file = FileIO(path, "r+" if append and path.exists() else "x+")
    except FileExistsError:
        raise MarketDataError(f"{path} is there already; --append goes on with it.", usage=True) from None
    except OSError as error:
        raise MarketDataError(f"{path} cannot be written: {error.strerror}.", usage=True) from error
    try:
        return file, _at_end(file, path)
    except BaseException:
        file.close()
        raise


def _at_end(file: FileIO, path: Path) -> _Before:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise MarketDataError(f"{path} is being written by another process.", usage=True) from None
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return _Before()
    file.seek(0)
    if not is_recording(file.read(len(MAGIC))):
        raise MarketDataError(f"{path} is no .arena recording, so nothing is appended to it.", usage=True)
    end, session = sound_end(file)
    if end < size:
        log.warning("%s ended in the middle of a block; %d bytes were cut off", path, size - end)
    file.truncate(end)
    file.seek(end)
    return _Before(session + 1, end, size - end)

"""Writes recordings: takes frames from the feeds' thread and writes them in a thread of its own.

A block is written and synced to disk every second or 256 KiB, so that a killed process loses at most that. A
full disk ends the recording, not the feeds.
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

from arena.config import Settings
from arena.errors import MarketDataError
from arena.feeds.base import LiveFeed, RawFrame
from arena.feeds.recording.layout import (
    MAGIC,
    MAX_PAYLOAD,
    RECORD_BYTES,
    SESSIONS,
    BlockKind,
    RecordedFeed,
    RecordingSession,
    pack_block,
    pack_record,
)
from arena.feeds.recording.reader import end_of_valid_blocks, is_recording

log = logging.getLogger("arena.feeds.recording")

# Addresses may hold a password, and no parser needs them.
_NOT_RECORDED = {"enabled", "base_url", "ws_url", "symbols"}


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """When a block is due or full, and how many bytes may wait for a slow disk."""

    seconds: float = 1.0
    block_bytes: int = 256 * 1024
    waiting_bytes: int = MAX_PAYLOAD // 2


@dataclass(slots=True)
class _PendingBlock:
    """The frames of a block that is not written yet."""

    frames: list[tuple[int, RawFrame]] = field(default_factory=list)
    size: int = 0
    lost: int = 0

    def pack(self, session: int) -> bytes:
        payload = b"".join(pack_record(number, frame) for number, frame in self.frames)
        first, last = (self.frames[n][1].receive_time_ns if self.frames else 0 for n in (0, -1))
        return pack_block(
            BlockKind.FRAMES, payload, session, frames=len(self.frames), lost=self.lost, first=first, last=last
        )  # fmt: skip


class Recording:
    """An `.arena` file that is being written; pass `write` to a LiveMarket as `record`.

    `frames` and `bytes` count what has been synced to disk, `lost` the frames that were dropped; `problem` is
    a sentence about why the recording has ended by itself. MarketDataError if the file cannot be opened, or
    exists and `append` is false.
    """

    def __init__(
        self,
        path: Path,
        feeds: Sequence[RecordedFeed],
        *,
        append: bool = False,
        flush: FlushPolicy | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.frames = 0
        self.lost = 0
        self.problem = ""
        self._flush = flush or FlushPolicy()
        self._numbers = {feed.name: number for number, feed in enumerate(feeds)}
        self._file, before = _open(path, append=append)
        self._session, self.bytes, self.cut_off = before.sessions % SESSIONS, before.bytes, before.cut_off
        self._news = threading.Condition()
        self._waiting = [_PendingBlock()]
        self._waiting_bytes = 0
        self._closing = False
        self._write_session(RecordingSession(tuple(feeds), clock()))
        self._thread = threading.Thread(target=self._main_loop, name="recording", daemon=True)
        self._thread.start()

    def _write_session(self, session: RecordingSession) -> None:
        start = b"" if self.bytes else MAGIC
        try:
            self._put(start + pack_block(BlockKind.SESSION, session.pack(), self._session))
        except OSError as error:
            self._file.close()
            raise MarketDataError(f"{self.path} cannot be written: {error.strerror}.") from error

    def write(self, frame: RawFrame) -> None:
        """Queue one frame; never waits for the disk, never raises."""
        number = self._numbers.get(frame.feed)
        size = RECORD_BYTES + len(frame.payload)
        with self._news:
            if self.problem or self._closing:
                return
            block = self._waiting[-1]
            if number is None or self._waiting_bytes + size > self._flush.waiting_bytes:
                self.lost += 1
                block.lost += 1
                return
            block.frames.append((number, frame))
            block.size += size
            self._waiting_bytes += size
            if block.size >= self._flush.block_bytes:
                self._waiting.append(_PendingBlock())
                self._news.notify()

    def close(self) -> None:
        """Write the queued frames and close the file."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join()
        self._file.close()

    def _main_loop(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(self._is_due, self._flush.seconds)
                block = self._waiting.pop(0)
                self._waiting = self._waiting or [_PendingBlock()]
                done = self._closing and not any(left.frames or left.lost for left in self._waiting)
            if block.frames or block.lost:
                self._save(block)
            with self._news:
                self._waiting_bytes -= block.size
            if done or self.problem:
                return

    def _is_due(self) -> bool:
        return self._closing or len(self._waiting) > 1

    def _save(self, block: _PendingBlock) -> None:
        try:
            self._put(block.pack(self._session))
        except OSError as error:
            self._give_up(f"The recording {self.path} has ended: {error.strerror}. It is good up to here.")
        except Exception as error:
            log.exception("The recording has met a defect of ours")
            self._give_up(f"The recording {self.path} has ended by a defect of ours: {type(error).__name__}.")
        else:
            self.frames += len(block.frames)

    def _give_up(self, problem: str) -> None:
        self.problem = problem
        log.error("%s", problem)
        # A half-written block is of no use; truncating it may fail too.
        with contextlib.suppress(OSError):
            self._file.truncate(self.bytes)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())
        self.bytes += len(data)


@dataclass(frozen=True, slots=True)
class _ExistingContent:
    """What a file held before: its sessions, the bytes kept, and the bytes of a torn tail."""

    sessions: int = 0
    bytes: int = 0
    cut_off: int = 0


def _open(path: Path, *, append: bool) -> tuple[FileIO, _ExistingContent]:
    """Open a recording for writing at its end."""
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


def _at_end(file: FileIO, path: Path) -> _ExistingContent:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise MarketDataError(f"{path} is being written by another process.", usage=True) from None
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return _ExistingContent()
    file.seek(0)
    if not is_recording(file.read(len(MAGIC))):
        raise MarketDataError(f"{path} is no .arena recording, so nothing is appended to it.", usage=True)
    end, session = end_of_valid_blocks(file)
    if end < size:
        log.warning("%s ended in the middle of a block; %d bytes were cut off", path, size - end)
    file.truncate(end)
    file.seek(end)
    return _ExistingContent(session + 1, end, size - end)


def start_recording(path: Path, feeds: Sequence[LiveFeed], settings: Settings, *, append: bool = False) -> Recording:
    """Return a recording whose `write` takes the frames of these feeds; MarketDataError if it cannot be opened."""
    return Recording(path, [_recorded_feed(feed, settings) for feed in feeds], append=append)


def _recorded_feed(feed: LiveFeed, settings: Settings) -> RecordedFeed:
    source = getattr(settings.data_sources, feed.name.partition(":")[0])
    return RecordedFeed(feed.name, tuple(feed.symbols), source.model_dump(mode="json", exclude=_NOT_RECORDED))

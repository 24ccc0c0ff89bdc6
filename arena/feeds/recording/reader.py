"""Reads the blocks and frames of an `.arena` file, one block in memory at a time; damaged blocks are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from arena.feeds.base import RawFrame
from arena.feeds.recording.layout import (
    HEAD_BYTES,
    MAGIC,
    MARKER,
    BlockHead,
    BlockKind,
    DamagedError,
    RecordingSession,
    read_head,
    read_payload,
    read_records,
    read_session,
)

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """One valid block; `end` is the offset of the byte after it."""

    head: BlockHead
    payload: bytes
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are not a valid block; `torn` where no valid block follows."""

    offset: int
    size: int
    torn: bool


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """The frames of one block; `lost` frames before them could not be written."""

    frames: list[RawFrame]
    lost: int


def is_recording(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is an `.arena` file."""
    return head.startswith(MAGIC)


def blocks(stream: BinaryIO) -> Iterator[Block | Damage]:
    """Yield the blocks of a recording and the damage between them; `stream` must be able to seek."""
    offset = len(MAGIC)
    while (found := _block_at(stream, offset)) is not None:
        if isinstance(found, Damage):
            after = _next_head(stream, offset + 1)
            found = Damage(offset, (stream.seek(0, 2) if after is None else after) - offset, after is None)
        yield found
        offset = found.end if isinstance(found, Block) else found.offset + found.size


def _block_at(stream: BinaryIO, offset: int) -> Block | Damage | None:
    """Return the block at an offset, damage of unknown size, or None at the end of the file."""
    stream.seek(offset)
    start = stream.read(HEAD_BYTES)
    if not start:
        return None
    try:
        head = read_head(start)
        payload = read_payload(head, stream.read(head.stored))
    except DamagedError:
        return Damage(offset, 0, torn=False)
    return Block(head, payload, offset, offset + HEAD_BYTES + head.stored)


def _next_head(stream: BinaryIO, offset: int) -> int | None:
    """Return the offset of the next valid head, None if there is none."""
    stream.seek(offset)
    window = b""
    while chunk := stream.read(_CHUNK):
        window += chunk
        place = window.find(MARKER)
        while place >= 0:
            stream.seek(offset + place)
            if _is_head(stream.read(HEAD_BYTES)):
                return offset + place
            place = window.find(MARKER, place + 1)
        # A marker may span two chunks.
        kept = window[-(len(MARKER) - 1) :]
        offset += len(window) - len(kept)
        window = kept
        stream.seek(offset + len(kept))
    return None


def _is_head(data: bytes) -> bool:
    try:
        read_head(data)
    except DamagedError:
        return False
    return True


def sessions(stream: BinaryIO) -> Iterator[RecordingSession | FrameBatch | Damage]:
    """Yield each session of a recording followed by its frames, a batch for each block."""
    number, names = -1, tuple[str, ...]()
    for found in blocks(stream):
        if isinstance(found, Damage):
            yield found
            continue
        try:
            if found.head.kind == BlockKind.SESSION:
                session = read_session(found.payload)
                number, names = found.head.session, tuple(feed.name for feed in session.feeds)
                yield session
            elif found.head.kind == BlockKind.FRAMES:
                yield _batch(found, number, names)
        except DamagedError:
            yield Damage(found.offset, found.end - found.offset, torn=False)


def _batch(block: Block, session: int, names: tuple[str, ...]) -> FrameBatch:
    """Return the frames of a block; DamagedError where the session they belong to has not been read."""
    if block.head.session != session:
        raise DamagedError
    return FrameBatch(list(read_records(block.payload, names)), block.head.lost)


def end_of_valid_blocks(stream: BinaryIO) -> tuple[int, int]:
    """Return where the last valid block ends, and its session number, -1 where there is none."""
    end, session = len(MAGIC), -1
    for found in blocks(stream):
        if isinstance(found, Block):
            end, session = found.end, found.head.session
    return end, session

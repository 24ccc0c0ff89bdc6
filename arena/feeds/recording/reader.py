"""Blocks and frames of an `.arena` file, one block in memory at a time; damage is named and passed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from arena.feeds.base import Frame
from arena.feeds.recording.layout import (
    HEAD_BYTES,
    MAGIC,
    MARKER,
    DamagedError,
    Head,
    Kind,
    read_head,
    read_payload,
    read_records,
)
from arena.feeds.recording.session import Session, read_session

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """One sound block; `end` is the offset of the byte after it."""

    head: Head
    payload: bytes
    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no sound block; `torn` where no sound block comes after them."""

    offset: int
    size: int
    torn: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """The frames of one block; `lost` others before them could not be written."""

    frames: list[Frame]
    lost: int


def is_recording(head: bytes) -> bool:
    """Say whether a file that begins so is an `.arena` file."""
    return head.startswith(MAGIC)


def blocks(stream: BinaryIO) -> Iterator[Block | Damage]:
    """Yield what a recording is made of, from its first block on; `stream` can seek."""
    offset = len(MAGIC)
    while (found := _block_at(stream, offset)) is not None:
        if isinstance(found, Damage):
            after = _next_head(stream, offset + 1)
            found = Damage(offset, (stream.seek(0, 2) if after is None else after) - offset, after is None)
        yield found
        offset = found.end if isinstance(found, Block) else found.offset + found.size


def _block_at(stream: BinaryIO, offset: int) -> Block | Damage | None:
    """Return the block at an offset, damage of unknown size, or None at the file's end."""
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
    """Return where the next sound head is, None if there is none."""
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
        # A marker may lie across the border of two chunks.
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


def sessions(stream: BinaryIO) -> Iterator[Session | Batch | Damage]:
    """Yield the sessions of a recording and, after each, its frames by the block."""
    number, names = -1, tuple[str, ...]()
    for found in blocks(stream):
        if isinstance(found, Damage):
            yield found
            continue
        try:
            if found.head.kind == Kind.SESSION:
                session = read_session(found.payload)
                number, names = found.head.session, tuple(feed.name for feed in session.feeds)
                yield session
            elif found.head.kind == Kind.FRAMES:
                yield _batch(found, number, names)
        except DamagedError:
            yield Damage(found.offset, found.end - found.offset, torn=False)


def _batch(block: Block, session: int, names: tuple[str, ...]) -> Batch:
    """Return the frames of a block, if the session they belong to has been read."""
    if block.head.session != session:
        raise DamagedError
    return Batch(list(read_records(block.payload, names)), block.head.lost)


def sound_end(stream: BinaryIO) -> tuple[int, int]:
    """Return where the last sound block ends (what follows is a torn tail), and its session, -1 for none."""
    end, session = len(MAGIC), -1
    for found in blocks(stream):
        if isinstance(found, Block):
            end, session = found.end, found.head.session
    return end, session

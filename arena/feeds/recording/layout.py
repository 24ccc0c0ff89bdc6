"""The format of an `.arena` file: a magic number, then blocks with checksums.

    file      magic, block, block, …
    block     head (48 bytes), payload
    head      marker 4s, kind u8, codec u8, session u16, stored u32, size u32, frames u32, lost u32,
              first i64, last i64, payload's CRC-32 u32, CRC-32 of the 44 bytes before u32
    payload   SESSION: JSON; FRAMES: records of feed u16, received i64 (ns), length u32, bytes

Everything is little-endian; `docs/recordings.md` describes the same. CRC-32 (3 GB/s) is enough, as it must
find torn and damaged blocks, not forged ones. zlib is in the standard library and compresses frames of trades
to a tenth, at 40 MB/s.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import orjson

from arena.errors import MarketDataError
from arena.feeds.base import RawFrame

MAGIC = b"\x93ARENA\r\n"
VERSION = 1
MARKER = b"\x93BLK"
HEAD_BYTES = 48
SESSIONS = 65_536  # session numbers wrap around here
MAX_PAYLOAD = 64 * 1024 * 1024

_HEAD = struct.Struct("<4sBBHIIIIqqI")
_CHECK = struct.Struct("<I")
_RECORD = struct.Struct("<HqI")
RECORD_BYTES = _RECORD.size


class BlockKind(IntEnum):
    """What a block holds."""

    SESSION = 1
    FRAMES = 2


class Codec(IntEnum):
    """How a payload is stored."""

    PLAIN = 0
    ZLIB = 1


class DamagedError(Exception):
    """Bytes that are not a valid block."""


@dataclass(frozen=True, slots=True)
class BlockHead:
    """The head of a block: its payload has `stored` bytes in the file and `size` bytes unpacked.

    `lost` counts frames before this block that could not be written. The times are nanoseconds. `session` is
    the number of the session that this block is, or belongs to.
    """

    kind: int
    codec: int
    session: int
    stored: int
    size: int
    frames: int
    lost: int
    first: int
    last: int
    check: int


def pack_block(
    kind: BlockKind, payload: bytes, session: int, *, frames: int = 0, lost: int = 0, first: int = 0, last: int = 0
) -> bytes:
    """Return a whole block, compressed where that makes it smaller."""
    packed, codec = zlib.compress(payload, 6), Codec.ZLIB
    if len(packed) >= len(payload):
        packed, codec = payload, Codec.PLAIN
    check = zlib.crc32(packed)
    head = _HEAD.pack(MARKER, kind, codec, session, len(packed), len(payload), frames, lost, first, last, check)
    return head + _CHECK.pack(zlib.crc32(head)) + packed


def read_head(data: bytes) -> BlockHead:
    """Parse the 48 bytes of a head; DamagedError if they are not valid."""
    if len(data) != HEAD_BYTES or not data.startswith(MARKER):
        raise DamagedError
    if _CHECK.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        raise DamagedError
    head = BlockHead(*_HEAD.unpack_from(data)[1:])
    if max(head.stored, head.size) > MAX_PAYLOAD:
        raise DamagedError
    return head


def read_payload(head: BlockHead, stored: bytes) -> bytes:
    """Unpack a payload; DamagedError if it does not match its head."""
    if len(stored) != head.stored or zlib.crc32(stored) != head.check:
        raise DamagedError
    if head.codec == Codec.PLAIN:
        return stored
    if head.codec != Codec.ZLIB:
        raise DamagedError
    try:
        # The head's size is the limit, so that a forged payload cannot expand without bound.
        payload = zlib.decompressobj().decompress(stored, head.size + 1)
    except zlib.error:
        raise DamagedError from None
    if len(payload) != head.size:
        raise DamagedError
    return payload


def pack_record(feed: int, frame: RawFrame) -> bytes:
    """Return one frame as a record of a payload."""
    return _RECORD.pack(feed, frame.receive_time_ns, len(frame.payload)) + frame.payload


def read_records(payload: bytes, names: Iterable[str]) -> Iterator[RawFrame]:
    """Yield the frames of a payload; `names` are the feeds by number. DamagedError where a record is not valid."""
    feeds = tuple(names)
    place = 0
    while place < len(payload):
        if place + _RECORD.size > len(payload):
            raise DamagedError
        feed, received, length = _RECORD.unpack_from(payload, place)
        place += _RECORD.size
        if feed >= len(feeds) or place + length > len(payload):
            raise DamagedError
        yield RawFrame(feeds[feed], received, payload[place : place + length])
        place += length


@dataclass(frozen=True, slots=True)
class RecordedFeed:
    """One feed of a recording; `options` are the settings that its parser needs, without secrets."""

    name: str
    symbols: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordingSession:
    """One run of a recorder, with its feeds in the order that decides who owns a symbol."""

    feeds: tuple[RecordedFeed, ...]
    opened_at: float

    def pack(self) -> bytes:
        """Return the payload of a SESSION block."""
        feeds = [{"name": f.name, "symbols": f.symbols, "options": dict(f.options)} for f in self.feeds]
        return orjson.dumps({"format": VERSION, "opened_at": self.opened_at, "feeds": feeds})


def read_session(payload: bytes) -> RecordingSession:
    """Parse the payload of a SESSION block; DamagedError if it is not valid."""
    try:
        body = orjson.loads(payload)
        newer = body["format"] > VERSION
        feeds = [RecordedFeed(f["name"], tuple(f["symbols"]), f["options"]) for f in body["feeds"]]
        session = RecordingSession(tuple(feeds), float(body["opened_at"]))
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        raise DamagedError from None
    if newer:
        raise MarketDataError("The recording was written by a newer version of Arena; it takes that to read it.")
    return session

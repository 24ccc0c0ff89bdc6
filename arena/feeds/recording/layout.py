"""The bytes of an `.arena` file: a magic, then blocks, each with its checksums.

    file      magic, block, block, …
    block     head (48 bytes), payload
    head      marker 4s, kind u8, codec u8, session u16, stored u32, size u32, frames u32, lost u32,
              first i64, last i64, payload's CRC-32 u32, CRC-32 of the 44 bytes before u32
    payload   SESSION: JSON; FRAMES: records of feed u16, received i64 (ns), length u32, bytes

Everything is little-endian. `docs/recordings.md` has the same in words. CRC-32 (zlib's, 3 GB/s)
because what it must find is a torn or rotten block, not a forged one; zlib because it makes a tenth
of the frames of trades, at 40 MB/s, and is in the standard library.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from arena.feeds.base import Frame

MAGIC = b"\x93ARENA\r\n"
VERSION = 1
MARKER = b"\x93BLK"
HEAD_BYTES = 48
SESSIONS = 65_536  # their numbers begin anew after so many
MAX_PAYLOAD = 64 * 1024 * 1024

_HEAD = struct.Struct("<4sBBHIIIIqqI")
_CHECK = struct.Struct("<I")
_RECORD = struct.Struct("<HqI")
RECORD_BYTES = _RECORD.size


class Kind(IntEnum):
    """What a block holds."""

    SESSION = 1
    FRAMES = 2


class Codec(IntEnum):
    """How a payload is stored."""

    PLAIN = 0
    ZLIB = 1


class DamagedError(Exception):
    """Bytes that are no sound block."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a payload: `stored` bytes in the file, `size` bytes unpacked.

    `lost` frames came before this block and could not be written. The times are nanoseconds. `session`
    is the number of the session that this is, or belongs to.
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
    kind: Kind, payload: bytes, session: int, *, frames: int = 0, lost: int = 0, first: int = 0, last: int = 0
) -> bytes:
    """Return a whole block, compressed where that makes it smaller."""
    packed, codec = zlib.compress(payload, 6), Codec.ZLIB
    if len(packed) >= len(payload):
        packed, codec = payload, Codec.PLAIN
    check = zlib.crc32(packed)
    head = _HEAD.pack(MARKER, kind, codec, session, len(packed), len(payload), frames, lost, first, last, check)
    return head + _CHECK.pack(zlib.crc32(head)) + packed


def read_head(data: bytes) -> Head:
    """Return the head that the 48 bytes are; DamagedError if they are none."""
    if len(data) != HEAD_BYTES or not data.startswith(MARKER):
        raise DamagedError
    if _CHECK.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        raise DamagedError
    head = Head(*_HEAD.unpack_from(data)[1:])
    if max(head.stored, head.size) > MAX_PAYLOAD:
        raise DamagedError
    return head


def read_payload(head: Head, stored: bytes) -> bytes:
    """Return a payload unpacked; DamagedError if it is not what the head says."""
    if len(stored) != head.stored or zlib.crc32(stored) != head.check:
        raise DamagedError
    if head.codec == Codec.PLAIN:
        return stored
    if head.codec != Codec.ZLIB:
        raise DamagedError
    try:
        # The head's size is the limit, so that no payload unpacks to more than it says.
        payload = zlib.decompressobj().decompress(stored, head.size + 1)
    except zlib.error:
        raise DamagedError from None
    if len(payload) != head.size:
        raise DamagedError
    return payload


def pack_record(feed: int, frame: Frame) -> bytes:
    """Return one frame as it stands in a payload."""
    return _RECORD.pack(feed, frame.receive_time_ns, len(frame.payload)) + frame.payload


def read_records(payload: bytes, names: Iterable[str]) -> Iterator[Frame]:
    """Yield the frames of a payload; `names` are the feeds by number. DamagedError where they do not fit."""
    feeds = tuple(names)
    place = 0
    while place < len(payload):
        if place + _RECORD.size > len(payload):
            raise DamagedError
        feed, received, length = _RECORD.unpack_from(payload, place)
        place += _RECORD.size
        if feed >= len(feeds) or place + length > len(payload):
            raise DamagedError
        yield Frame(feeds[feed], received, payload[place : place + length])
        place += length

"""The messages between the server and its children: frames to and from a worker, words to and from the zygote.

A frame has one of a closed set of kinds; an unknown one is fatal. Its layout, little endian: u32 payload length, u8
kind, u32 sequence number, payload. Bytes from a worker are untrusted: `FrameReader` allocates no more than its budget
and answers with a frame or a `ProtocolFault`, never with anything else.
"""

from __future__ import annotations

import itertools
import struct
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct("<IBI")
# A message on the control socket: a word and two numbers; descriptors ride beside it.
CONTROL = struct.Struct("<iqq")
DESCRIPTORS = struct.Struct("2i")
WITH_PAGE = struct.Struct("3i")
DESCRIPTOR = struct.Struct("i")
_LENGTH = struct.Struct("<I")
_FORK_REQUEST = struct.Struct("<qq?")


class Word(IntEnum):
    """What server and zygote say to each other, with its two numbers."""

    READY = 2  # process id, nothing
    SPAWNED = 3  # request, process id; goes up with a pidfd
    FAILED = 4  # request, errno
    EXIT = 5  # process id, wait status


class ForkRequest(NamedTuple):
    """A request to the zygote to fork; a `reading` child is warmed up to check a source, not to run a bot."""

    number: int
    uid: int | None
    reading: bool

    def pack(self) -> bytes:
        """Return the message; its two pipe ends ride beside it."""
        return _FORK_REQUEST.pack(self.number, -1 if self.uid is None else self.uid, self.reading)


FORK_REQUEST_SIZE = _FORK_REQUEST.size


def read_fork_request(data: bytes) -> ForkRequest:
    """Return what a message asks for."""
    number, uid, reading = _FORK_REQUEST.unpack(data)
    return ForkRequest(number, None if uid < 0 else uid, reading)


class Kind(IntEnum):
    """What a frame is for; the first ones go down to a worker, those from LOCKED on come up."""

    CHECK = 1
    START = 2
    CALL = 3
    LOOK = 4
    SNAPSHOT = 5
    RESTORE = 6
    LOCKED = 16
    CHECKED = 17
    STARTED = 18
    REPLY = 19
    FAULT = 20
    SNAPSHOT_TAKEN = 21
    RESTORED = 22


class Frame(NamedTuple):
    """One message."""

    kind: Kind
    seq: int
    payload: bytes


class ProtocolFault(Exception):  # noqa: N818 - a verdict in the making, not an error of ours
    """The peer broke the protocol; `oversize` tells an output flood from nonsense."""

    def __init__(self, reason: str, *, oversize: bool = False) -> None:
        super().__init__(reason)
        self.oversize = oversize


_numbers = itertools.count(1)


def next_number() -> int:
    """Return the number of a new request, or of one that goes to many workers alike; never 0."""
    return next(_numbers) % 0xFFFFFFFF + 1


def encode(kind: Kind, seq: int, payload: bytes) -> bytes:
    """Return the bytes of one frame."""
    return HEADER.pack(len(payload), kind, seq) + payload


def pack_pair(first: bytes, second: bytes) -> bytes:
    """Return two byte strings as one payload: u32 length of the first, then both."""
    return _LENGTH.pack(len(first)) + first + second


def unpack_pair(payload: bytes) -> tuple[bytes, bytes]:
    """Return the two byte strings of a payload; ValueError if it is too short."""
    if len(payload) < _LENGTH.size:
        raise ValueError("a pair without a head")
    (size,) = _LENGTH.unpack_from(payload)
    if len(payload) < _LENGTH.size + size:
        raise ValueError("a pair that ends too early")
    return payload[_LENGTH.size : _LENGTH.size + size], payload[_LENGTH.size + size :]


class FrameReader:
    """Cuts a stream of hostile bytes into frames within a budget.

    Room is given only for what a header has promised and the budget allows.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._buffer = bytearray()

    @property
    def wanted(self) -> int:
        """Return how many bytes may be read at once without passing the budget."""
        return max(1, self.budget + HEADER.size - len(self._buffer))

    def feed(self, data: bytes) -> None:
        """Take bytes as they came; more than one frame's worth unread is a flood."""
        self._buffer += data
        if len(self._buffer) > self.budget + HEADER.size:
            raise ProtocolFault("more output than one frame may hold", oversize=True)

    def next(self) -> Frame | None:
        """Return the next whole frame, None if more bytes are needed."""
        if len(self._buffer) < HEADER.size:
            return None
        length, kind, seq = HEADER.unpack_from(self._buffer)
        if length > self.budget:
            raise ProtocolFault(f"a frame of {length} bytes", oversize=True)
        try:
            known = Kind(kind)
        except ValueError:
            raise ProtocolFault(f"unknown frame kind {kind}") from None
        if len(self._buffer) < HEADER.size + length:
            return None
        payload = bytes(self._buffer[HEADER.size : HEADER.size + length])
        del self._buffer[: HEADER.size + length]
        return Frame(known, seq, payload)

    @property
    def pending(self) -> bool:
        """Say whether bytes are left over that no request explains."""
        return bool(self._buffer)

"""A worker's snapshot on its way: what the server asks for, and what it reads of the reply.

The snapshot itself is bytes that only a locked worker opens. What a reply says in words comes from a worker and is
cleaned before anyone sees it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sandbox.talk.plain_text import plain_text

_BOUND = struct.Struct("<Q")
_WORDS = 300


@dataclass(frozen=True, slots=True)
class SnapshotReply:
    """A snapshot, or why there is none."""

    data: bytes | None
    problem: str = ""


def pack_bound(size: int) -> bytes:
    """Return the payload of a request for a snapshot of at most `size` bytes."""
    return _BOUND.pack(size)


def unpack_bound(payload: bytes) -> int:
    """Return how large a snapshot may be."""
    size: int = _BOUND.unpack(payload)[0]
    return size


def pack_taken(data: bytes | None, problem: str = "") -> bytes:
    """Return the payload of a reply: a byte that says which, and the snapshot or the words."""
    return b"\1" + data if data is not None else b"\0" + problem.encode("utf-8", "replace")


def read_snapshot(payload: bytes, bound: int) -> SnapshotReply:
    """Read a worker's reply to a request for its snapshot."""
    if payload[:1] == b"\1" and len(payload) <= bound + 1:
        return SnapshotReply(payload[1:])
    return SnapshotReply(None, _words(payload) or "the worker gave none")


def read_restored(payload: bytes) -> str:
    """Return why a worker could not restore a snapshot, an empty text where it has."""
    return "" if payload == b"\1" else _words(payload) or "the worker gave no reason"


def _words(payload: bytes) -> str:
    return plain_text(payload[1:].decode("utf-8", "replace"), _WORDS)

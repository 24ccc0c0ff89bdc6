"""Encodes and decodes Alpaca's messages: arrays, as JSON or msgpack, with times in nanoseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgpack  # type: ignore[import-untyped]
import orjson

Encoding = Literal["json", "msgpack"]
Message = dict[str, Any]

CONTENT_TYPES: dict[Encoding, str] = {"json": "application/json", "msgpack": "application/msgpack"}
NANOSECONDS = 1_000_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
# An array or a map in msgpack begins with one of these bytes, a JSON text with none of them.
_PACKED = frozenset([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def decode(payload: bytes) -> list[Any] | None:
    """Return the messages of a payload in either encoding, None if it is neither."""
    try:
        found = msgpack.unpackb(payload) if payload[:1] and payload[0] in _PACKED else orjson.loads(payload)
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    if isinstance(found, dict):
        return [found]
    return found if isinstance(found, list) else None


def encode(content: Message | list[Message], encoding: Encoding) -> str | bytes:
    """Return a message, or an array of them, encoded for sending."""
    if encoding == "msgpack":
        packed: bytes = msgpack.packb(content)
        return packed
    return orjson.dumps(content).decode()


def nanoseconds(stamp: object) -> int | None:
    """Return a timestamp as integer nanoseconds since the epoch, None where it is not valid.

    Python's own parser drops the digits after the sixth, and two trades can lie closer than that.
    """
    if isinstance(stamp, msgpack.Timestamp):
        found = int(stamp.to_unix_nano())
        return found if found > 0 else None
    match = _RFC_3339.fullmatch(stamp) if isinstance(stamp, str) else None
    if match is None:
        return None
    day, time, fraction, zone = match.groups()
    try:
        whole = (datetime.fromisoformat(f"{day}T{time}{zone.upper()}") - _EPOCH) // _SECOND
    except (ValueError, OverflowError):
        return None
    return whole * NANOSECONDS + int((fraction or "").ljust(9, "0")) if whole > 0 else None


def stamp_of(moment: int, encoding: Encoding) -> object:
    """Return nanoseconds in the venue's format: RFC 3339 without trailing zeros, or a msgpack timestamp."""
    if encoding == "msgpack":
        return msgpack.Timestamp.from_unix_nano(moment)
    whole, rest = divmod(moment, NANOSECONDS)
    text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{text}{fraction}Z"

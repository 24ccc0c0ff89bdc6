"""Messages between head and host as bytes: MessagePack, checked against their types when read.

What comes over the wire is not trusted: a message of another form is a ValueError, never an object of its own making.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypeVar

import msgpack  # type: ignore[import-untyped]
from pydantic import Field, TypeAdapter, ValidationError

T = TypeVar("T")

# Bytes of a message: programs and memories of a few bots, or the lines of some ten thousand.
MAX_MESSAGE = 64 << 20
# Of the first one, which comes from somebody who has not been let in yet; to unpack a large one can take half a minute.
MAX_HELLO = 4096


class Hello(NamedTuple):
    """What a host says of itself: its proved isolation level, its runtime, and how much memory bots may take.

    `fence` is the token of the lease that it had before, 0 for none.
    """

    level: Annotated[str, Field(max_length=10)]
    runtime: Annotated[str, Field(max_length=200)]
    capacity: Annotated[int, Field(ge=0, lt=2**62)]
    fence: Annotated[int, Field(ge=0, lt=2**62)]


class Envelope(NamedTuple):
    """One message: its kind, the fencing token that it is sent under, and its packed content."""

    kind: str
    fence: int
    content: bytes


def encode(message: object) -> bytes:
    """Return a message as bytes; doubles keep every bit."""
    return bytes(msgpack.packb(message, use_bin_type=True))


def decode(data: bytes, kind: type[T]) -> T:
    """Return the message that bytes hold; ValueError where they hold another."""
    adapter: TypeAdapter[T] = _adapter(kind)
    try:
        raw = msgpack.unpackb(data, raw=False, strict_map_key=True, use_list=True)
        found: T = adapter.validate_python(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:4])
        raise ValueError(f"a message of another form ({where}: {first['msg']})") from None
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise ValueError(f"bytes that are no message ({type(error).__name__})") from None
    return found


_adapters: dict[object, TypeAdapter[Any]] = {}


def _adapter(kind: object) -> TypeAdapter[Any]:
    """Return what checks messages of a kind; making one takes a while."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)  # type: ignore[arg-type]
    return _adapters[kind]

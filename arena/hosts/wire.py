"""Messages between head and host as bytes: MessagePack, checked against their types when read.

What comes over the wire is not trusted: a message of another form is a ValueError, never an object of its own making.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgpack  # type: ignore[import-untyped]
from pydantic import Field, TypeAdapter, ValidationError

T = TypeVar("T")

# Bytes of a message: programs and memories of a few bots, or the lines of some ten thousand.
MAX_MESSAGE = 64 << 20
# Bytes that are unpacked in one go: half a second at the worst, where each is a list.
_PIECE = 1 << 20
# Rows of a longer one, each of which is checked: a second at the worst. An order takes thirty bytes and more.
_MOST_ROWS = 2 << 20
_BINARY = frozenset({0xC4, 0xC5, 0xC6})  # how a value of bytes begins, which holds nothing to unpack
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
    with _told():
        found: T = _adapter(kind).validate_python(_unpacked(data))
    return found


def decode_rows(data: bytes, kind: type[T]) -> T:
    """Return the same of a long message of which much may be a lie: each row is checked before the next is unpacked.

    `kind` is a named tuple; rows are what its lists hold.
    """
    if len(data) <= _PIECE:
        return decode(data, kind)
    with _told():
        unpacker = msgpack.Unpacker(max_buffer_size=len(data))
        unpacker.feed(data)
        fields = _fields(kind)  # type: ignore[arg-type]
        if unpacker.read_array_header() != len(fields):
            raise ValueError("another number of fields")
        values, left = [], _MOST_ROWS
        for adapter, is_list in fields:
            if is_list:
                count = unpacker.read_array_header()
                left -= count
                if left < 0:
                    raise ValueError("more rows than a message may hold")
                values.append([adapter.validate_python(_row(data, unpacker)) for _ in range(count)])
            else:
                values.append(adapter.validate_python(_value(data, unpacker)))
        if unpacker.tell() != len(data):
            raise ValueError("something after its end")
        return kind(*values)


def _row(data: bytes, unpacker: Any) -> Any:
    """Return the next value; all that is not bytes in a long one must be short."""
    begin = unpacker.tell()
    unpacker.skip()
    piece = data[begin : unpacker.tell()]
    if len(piece) <= _PIECE:
        return _unpacked(piece)
    inner = msgpack.Unpacker(max_buffer_size=len(piece))
    inner.feed(piece)
    values, left = [], _PIECE
    for _ in range(inner.read_array_header()):
        begin = inner.tell()
        values.append(_value(piece, inner, left))
        left -= 0 if piece[begin] in _BINARY else inner.tell() - begin
    return values


def _value(data: bytes, unpacker: Any, most: int = _PIECE) -> Any:
    """Return the next value, of so many bytes at most where there is anything in it to unpack."""
    begin = unpacker.tell()
    unpacker.skip()
    if unpacker.tell() - begin > most and data[begin] not in _BINARY:
        raise ValueError("a value of more than a row may hold")
    return _unpacked(data[begin : unpacker.tell()])


def _unpacked(data: bytes) -> Any:
    return msgpack.unpackb(data, raw=False, strict_map_key=True, use_list=True)


@contextmanager
def _told() -> Iterator[None]:
    """Say in a sentence what is wrong with a message."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"][:4])
        raise ValueError(f"a message of another form ({where}: {first['msg']})") from None
    except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise ValueError(f"bytes that are no message ({type(error).__name__})") from None


_adapters: dict[object, TypeAdapter[Any]] = {}


def _adapter(kind: object) -> TypeAdapter[Any]:
    """Return what checks messages of a kind; making one takes a while."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)  # type: ignore[arg-type]
    return _adapters[kind]


@lru_cache
def _fields(kind: type[Any]) -> list[tuple[TypeAdapter[Any], bool]]:
    """Return what checks each field of a named tuple: the whole of it, or one row where it is a list."""
    found = []
    for hint in get_type_hints(kind, include_extras=True).values():
        bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        is_list = get_origin(bare) is list
        found.append((TypeAdapter(get_args(bare)[0] if is_list else hint), is_list))
    return found

"""What the server asks of the zygote: a child, for whom, and how far it is to go before anyone needs it."""

from __future__ import annotations

import struct
from typing import NamedTuple

_LAYOUT = struct.Struct("<qq?")


class ForkRequest(NamedTuple):
    """One request to fork; a `reading` child has read a source of our own by the time it is handed out."""

    number: int
    uid: int | None
    reading: bool

    def pack(self) -> bytes:
        """Return the message; its two pipe ends ride beside it."""
        return _LAYOUT.pack(self.number, -1 if self.uid is None else self.uid, self.reading)


REQUEST_SIZE = _LAYOUT.size


def read_request(data: bytes) -> ForkRequest:
    """Return what a message asks for."""
    number, uid, reading = _LAYOUT.unpack(data)
    return ForkRequest(number, None if uid < 0 else uid, reading)

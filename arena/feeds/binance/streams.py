"""How a list of streams is asked for: in the address, or by messages where that gets too long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Literal
from urllib.parse import quote

import orjson
from websockets.asyncio.client import ClientConnection

Stream = Literal["trade", "miniTicker"]

MAX_STREAMS = 1024
# The venue reads addresses of about 8,000 characters and messages of about 4,000 bytes; what is longer
# it leaves without an answer.
_LONGEST_PATH = 7_000
_LONGEST_MESSAGE = 3_500
# It takes five messages a second, our pongs and pings among them.
_PAUSE = 0.3


class Wishes:
    """The streams of one connection: the `path` to dial, and the messages to send after that."""

    def __init__(self, symbols: Sequence[str], stream: Stream) -> None:
        names = [f"{name.lower()}@{stream}" for name in symbols]
        path = f"/stream?streams={quote('/'.join(names), safe='/@')}"
        fits = len(path) <= _LONGEST_PATH
        self.path = path if fits else "/stream"
        self.messages = [] if fits else [_subscribe(part, n) for n, part in enumerate(_parts(names), 1)]

    async def say(self, socket: ClientConnection) -> None:
        """Send the messages, slower than the venue's limit."""
        for number, message in enumerate(self.messages):
            await asyncio.sleep(_PAUSE if number else 0.0)
            await socket.send(message, text=True)


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for name in names:
        length = len(name.encode()) + 3
        if size + length > _LONGEST_MESSAGE:
            yield part
            part, size = [], 0
        part.append(name)
        size += length
    yield part


def _subscribe(names: Sequence[str], number: int) -> bytes:
    return orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": number})

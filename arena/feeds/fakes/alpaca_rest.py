"""The REST side of the fake Alpaca: the last trade, quote or bar of each symbol.

No sockets here: a path, its query and the headers go in, an answer comes out. The keys are checked,
and the requests of each minute counted, as the venue does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.datastructures import Headers
from websockets.http11 import Response

from arena.feeds.alpaca.codec import NANOSECONDS, stamp_of
from arena.feeds.fakes.alpaca_board import Board, Message

_CHANNEL = "(trades|quotes|bars)"
PATHS = re.compile(f"/v2/stocks/{_CHANNEL}/latest|/v1beta3/crypto/(?:us|us-1|eu-1)/latest/{_CHANNEL}")

_FEEDS = frozenset({"", "iex", "sip", "delayed_sip"})
_MINUTE = 60


class RestSide:
    """Answers for one account; `refuse` makes the next answers errors."""

    def __init__(self, board: Board, key: str, secret: str, clock_ns: Callable[[], int], per_minute: int) -> None:
        self.per_minute = per_minute
        self.asked: list[str] = []
        self._board = board
        self._keys = key, secret
        self._clock_ns = clock_ns
        self._minute = 0
        self._used = 0
        self._refusals: list[int] = []

    def refuse(self, status: int, *, times: int = 1) -> None:
        """Answer the next requests with an HTTP error."""
        self._refusals += [status] * times

    def answer(self, target: str, headers: Mapping[str, str]) -> Response:
        """Return what the venue says to a GET."""
        self.asked.append(target)
        if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != self._keys:
            return self._response(401, {"message": "unauthorized"})
        self._count()
        if self._refusals or self._used > self.per_minute:
            status = self._refusals.pop(0) if self._refusals else 429
            return self._response(status, {"message": "too many requests." if status == 429 else "refused."})
        return self._latest(target)

    def _latest(self, target: str) -> Response:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match = PATHS.fullmatch(url.path)
        names = [name for name in query.get("symbols", "").split(",") if name]
        if match is None or not names or query.get("feed", "") not in _FEEDS:
            return self._response(400, {"message": "invalid request"})
        channel = match[1] or match[2]
        found = {name: self._board.latest(channel, name) for name in names}
        return self._response(200, {channel: {name: _entry(told) for name, told in found.items() if told is not None}})

    def _count(self) -> None:
        minute = self._clock_ns() // (_MINUTE * NANOSECONDS)
        if minute != self._minute:
            self._minute, self._used = minute, 0
        self._used += 1

    def _response(self, status: int, body: object) -> Response:
        payload = orjson.dumps(body)
        headers = Headers({
            "Content-Type": "application/json; charset=UTF-8", "Content-Length": str(len(payload)),
            "Connection": "close", "X-RateLimit-Limit": str(self.per_minute),
            "X-RateLimit-Remaining": str(max(self.per_minute - self._used, 0)),
            "X-RateLimit-Reset": str((self._minute + 1) * _MINUTE),
        })  # fmt: skip
        return Response(status, HTTPStatus(status).phrase, headers, payload)


def _entry(message: Message) -> Message:
    """Return a message as REST writes it: without its kind and symbol, the time as text."""
    return {name: value for name, value in message.items() if name not in {"T", "S"}} | {
        "t": stamp_of(message["t"], "json")
    }

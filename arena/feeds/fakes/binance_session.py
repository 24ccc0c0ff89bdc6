"""One connection to the fake Binance: what it wants, and its control messages.

No sockets here: text goes in, text comes out.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

MESSAGES_PER_SECOND = 5
MAX_STREAMS = 1024
_TIME_FIELDS = ("E", "T")

_Reply = dict[str, Any]


class Session:
    """The streams and properties of one connection, and its replies to the five methods."""

    def __init__(self, streams: Iterable[str], *, combined: bool, microseconds: bool = False) -> None:
        self.streams = dict.fromkeys(streams)
        self.combined = combined
        self._microseconds = microseconds
        self._heard: deque[float] = deque(maxlen=MESSAGES_PER_SECOND + 1)
        self._methods: dict[str, Callable[[Any], _Reply]] = {
            "SUBSCRIBE": self._subscribe,
            "UNSUBSCRIBE": self._unsubscribe,
            "LIST_SUBSCRIPTIONS": self._list,
            "SET_PROPERTY": self._set_property,
            "GET_PROPERTY": self._get_property,
        }

    def frame(self, stream: str, payload: dict[str, Any]) -> str:
        """Return an event as this connection wants it: bare or combined, ms or microseconds."""
        if self._microseconds:
            payload = {k: v * 1000 if k in _TIME_FIELDS else v for k, v in payload.items()}
        whole = {"stream": stream, "data": payload} if self.combined else payload
        return json.dumps(whole, separators=(",", ":"))

    def too_fast(self, now: float) -> bool:
        """Count one incoming message; true if a second has seen more than the venue allows."""
        self._heard.append(now)
        return len(self._heard) > MESSAGES_PER_SECOND and now - self._heard[0] < 1.0

    def reply(self, text: str | bytes) -> str:
        """Return the answer to one control message."""
        try:
            request = json.loads(text)
        except ValueError:
            return json.dumps(_error(3, "Invalid JSON: expected value at line 1 column 1"))
        answer = self._answer(request, len(text))
        if isinstance(request, dict) and "id" in request and answer.get("code") not in {2, 3}:
            answer["id"] = request["id"]
        return json.dumps(answer)

    def _answer(self, request: Any, column: int) -> _Reply:
        where = f"at line 1 column {column}"
        if not isinstance(request, dict) or "method" not in request:
            return _error(2, f"Invalid request: missing field `method` {where}")
        method = self._methods.get(str(request["method"]))
        if method is None:
            known = ", ".join(f"`{name}`" for name in self._methods)
            unknown = f"unknown variant {request['method']}, expected one of {known}"
            return _error(2, f"Invalid request: {unknown} {where}")
        return method(request.get("params", []))

    def _subscribe(self, params: Any) -> _Reply:
        if not _are_names(params):
            return _error(2, "Invalid request: stream names must be strings")
        if len(self.streams | dict.fromkeys(params)) > MAX_STREAMS:
            return _error(2, "Invalid request: too many streams")
        self.streams.update(dict.fromkeys(params))
        return {"result": None}

    def _unsubscribe(self, params: Any) -> _Reply:
        if not _are_names(params):
            return _error(2, "Invalid request: stream names must be strings")
        for name in params:
            self.streams.pop(name, None)
        return {"result": None}

    def _list(self, _params: Any) -> _Reply:
        return {"result": list(self.streams)}

    def _set_property(self, params: Any) -> _Reply:
        if not isinstance(params, list) or len(params) != 2 or params[0] != "combined":
            return _error(0, "Unknown property")
        if not isinstance(params[1], bool):
            return _error(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return {"result": None}

    def _get_property(self, params: Any) -> _Reply:
        if params != ["combined"]:
            return _error(0, "Unknown property")
        return {"result": self.combined}


def _are_names(params: Any) -> bool:
    return isinstance(params, list) and all(isinstance(name, str) for name in params)


def _error(code: int, message: str) -> _Reply:
    return {"code": code, "msg": message}

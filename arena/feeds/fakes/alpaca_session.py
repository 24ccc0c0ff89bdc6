"""One connection to the fake Alpaca: login and subscriptions. No sockets here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from arena.feeds.alpaca.codec import Encoding, stamp_of

Message = dict[str, Any]

ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    500: "internal error",
}
# After these the venue hangs up.
FINAL = frozenset({402, 404, 406, 409, 500})
# Which list of the subscription a data message needs, by its T.
CHANNEL_OF = {
    "t": "trades", "q": "quotes", "b": "bars", "u": "updatedBars", "d": "dailyBars", "s": "statuses",
    "l": "lulds", "c": "corrections", "x": "cancelErrors", "o": "orderbooks",
}  # fmt: skip

_STOCKS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
_CRYPTO = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
_FOLLOWING = ("corrections", "cancelErrors")
_COUNTED = ("trades", "quotes")


def error(code: int) -> Message:
    """Return an error message."""
    return {"T": "error", "code": code, "msg": ERRORS[code]}


class Session:
    """The state of one connection, and its replies to the three actions."""

    def __init__(self, encoding: Encoding, admit: Callable[[object, object], int | None], *, crypto: bool) -> None:
        self.encoding = encoding
        self.authenticated = False
        self.symbol_limit: int | None = None
        self.lacks: Mapping[str, int] = {}
        self.line = asyncio.Lock()  # one frame at a time, however slowly it goes out
        self._admit = admit
        self._channels = _CRYPTO if crypto else _STOCKS
        self._following = () if crypto else _FOLLOWING
        self._wants: dict[str, dict[str, None]] = {name: {} for name in self._channels}

    def wants(self, message: Message) -> bool:
        """Return whether a data message is part of the subscription."""
        channel = CHANNEL_OF.get(str(message.get("T")))
        names = self._wants.get("trades" if channel in self._following else str(channel), {})
        return message.get("S") in names or "*" in names

    def stamped(self, message: Message) -> Message:
        """Write the time of a message as the connection's encoding does; one that is no number stays."""
        moment = message.get("t")
        return message | {"t": stamp_of(moment, self.encoding)} if isinstance(moment, int) else message

    def answer(self, request: object) -> Message:
        """Return the reply to one message of the client."""
        if not isinstance(request, dict):
            return error(400)
        action = request.get("action")
        if action == "auth":
            return self.log_in(request.get("key"), request.get("secret"))
        if action not in {"subscribe", "unsubscribe"}:
            return error(400)
        return self._change(request) if self.authenticated else error(401)

    def log_in(self, key: object, secret: object) -> Message:
        """Return the reply to a login, by message or by the headers of the handshake."""
        if self.authenticated:
            return error(403)
        refusal = self._admit(key, secret)
        if refusal is not None:
            return error(refusal)
        self.authenticated = True
        return {"T": "success", "msg": "authenticated"}

    def _change(self, request: Message) -> Message:
        named = {name: value for name, value in request.items() if name != "action"}
        if not all(isinstance(value, list) and all(isinstance(s, str) for s in value) for value in named.values()):
            return error(400)
        if not named.keys() <= set(self._channels):
            return error(410)
        if lacking := named.keys() & self.lacks.keys():
            return error(self.lacks[min(lacking)])
        wanted = {name: dict(symbols) for name, symbols in self._wants.items()}
        for name, symbols in named.items():
            for symbol in symbols:
                if request["action"] == "subscribe":
                    wanted[name][symbol] = None
                else:
                    wanted[name].pop(symbol, None)
        if self.symbol_limit is not None and sum(len(wanted[name]) for name in _COUNTED) > self.symbol_limit:
            return error(405)
        self._wants = wanted
        return self.subscription()

    def subscription(self) -> Message:
        """Return the whole subscription; trades bring their corrections and cancellations."""
        full = {name: list(symbols) for name, symbols in self._wants.items()}
        return {"T": "subscription"} | full | dict.fromkeys(self._following, full["trades"])

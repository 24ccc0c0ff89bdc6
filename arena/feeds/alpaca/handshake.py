"""Login and subscription at an Alpaca endpoint, as a state machine without sockets.

A subscription refused for its number of symbols is repeated in halves, so that as many symbols are
subscribed as the plan allows. Trading statuses are requested last: an endpoint that has none of them refuses
nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arena.errors import FeedError
from arena.feeds.alpaca.codec import Message
from arena.feeds.alpaca.parser import PriceKind

# The venue's own error texts are not repeated, so that no key they may quote reaches a message of ours.
_FATAL = {
    400: "Alpaca does not understand the request (400): is there a symbol among DATA_SOURCES__ALPACA__SYMBOLS "
    "that it does not know?",
    401: "Alpaca does not take a subscription before the login (401).",
    402: "Alpaca refuses the key (402): check ALPACA_API_KEY and ALPACA_SECRET_KEY.",
    409: "The Alpaca plan does not include this feed (409): choose another by DATA_SOURCES__ALPACA__FEED.",
}
_RECONNECT = {
    404: "Alpaca says that the login took too long (404).",
    406: "Alpaca says that there is another connection with this key already (406); the plan allows no more.",
    407: "Alpaca says that we read too slowly (407).",
    500: "Alpaca has an internal error (500).",
}
CONNECTION_LIMIT, SLOW_CLIENT = 406, 407
_ALREADY_AUTHENTICATED, _SYMBOL_LIMIT, _NOT_ON_THIS_FEED = 403, 405, 410
_NO_STATUSES = frozenset({400, 405, 409, 410})


class ReconnectError(Exception):
    """The venue wants this connection to end; another one may work."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class AlpacaKeys:
    """The key pair of an account, left out of its repr."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(slots=True)
class AlpacaHandshake:
    """The login and subscriptions of one connection.

    `subscribed` and `refused` (with the reason) are the symbols so far; `ready` is true once all have been
    answered. `statuses` says whether trading statuses are wanted and, after a refusal, no longer.
    """

    keys: AlpacaKeys
    channel: PriceKind
    symbols: Sequence[str]
    statuses: bool = False
    subscribed: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    ready: bool = False
    _requested: tuple[str, ...] = ()
    _to_request: list[tuple[str, ...]] = field(default_factory=list)
    _awaits_statuses: bool = False

    def receive(self, message: Message) -> Message | None:
        """Return the reply to a control message, if it needs one.

        Raises ReconnectError where another connection is needed, FeedError where none would help.
        """
        kind, text = message.get("T"), message.get("msg")
        if kind == "error":
            return self._error(message.get("code"))
        if kind == "subscription":
            return self._confirmed(message.get(self.channel))
        if text == "connected":
            return {"action": "auth", "key": self.keys.key, "secret": self.keys.secret}
        if text == "authenticated" and not self._requested:
            self._to_request = [tuple(self.symbols)]
            return self._next_request()
        return None

    def subscribed_symbols(self) -> list[str]:
        """Return the subscribed symbols in the order they were given."""
        return [name for name in self.symbols if name in self.subscribed]

    def _confirmed(self, names: object) -> Message | None:
        self._awaits_statuses = False
        if not isinstance(names, list) or not self._requested or self.ready:
            return None
        self.subscribed = {name for name in self.symbols if name in names}
        for name in self._requested:
            if name not in self.subscribed:
                self.refused[name] = "it is not in the confirmed subscription"
        return self._next_request()

    def _error(self, code: object) -> Message | None:
        if not isinstance(code, int):
            return None
        if self._awaits_statuses and code in _NO_STATUSES:
            self._awaits_statuses = self.statuses = False
            return None
        if code in _FATAL:
            raise FeedError(_FATAL[code])
        if code == _ALREADY_AUTHENTICATED:
            return None
        if code in {_SYMBOL_LIMIT, _NOT_ON_THIS_FEED}:
            return self._request_fewer(code) if self._requested and not self.ready else None
        raise ReconnectError(_RECONNECT.get(code, f"Alpaca reports the error {code}."), code)

    def _request_fewer(self, code: int) -> Message | None:
        if code == _SYMBOL_LIMIT and len(self._requested) > 1:
            half = len(self._requested) // 2
            self._to_request[:0] = [self._requested[:half], self._requested[half:]]
            return self._next_request()
        reason = "the plan's symbol limit (405)" if code == _SYMBOL_LIMIT else "this feed has none of it (410)"
        # Where one more symbol does not fit, none of the rest will.
        rest = [name for part in self._to_request for name in part]
        self.refused |= dict.fromkeys([*self._requested, *rest], reason)
        self._to_request.clear()
        return self._next_request()

    def _next_request(self) -> Message | None:
        if self._to_request:
            self._requested = self._to_request.pop(0)
            return {"action": "subscribe", self.channel: list(self._requested)}
        if not self.subscribed:
            reasons = " and ".join(sorted(set(self.refused.values())))
            raise FeedError(f"Alpaca sends the {self.channel} of none of the symbols asked for: {reasons}.")
        self.ready = True
        self._awaits_statuses = self.statuses
        return {"action": "subscribe", "statuses": self.subscribed_symbols()} if self.statuses else None

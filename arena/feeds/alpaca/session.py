"""One conversation with an Alpaca endpoint: greeting, login, subscriptions. No sockets here.

Messages of the venue go in, what to send next comes out. A request that is refused because it holds
too many symbols is made again in smaller parts, so that what the plan allows is subscribed. Trading
statuses are asked for last: a venue that has none of them refuses nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arena.errors import FeedError
from arena.feeds.alpaca.codec import Message
from arena.feeds.alpaca.parser import Prices

# The venue's own words are not repeated: whatever it answers, no key comes back in a sentence of ours.
_FATAL = {
    400: "Alpaca does not understand the request (400): is there a symbol among DATA_SOURCES__ALPACA__SYMBOLS "
    "that it does not know?",
    401: "Alpaca does not take a subscription before the login (401).",
    402: "Alpaca refuses the key (402): check ALPACA_API_KEY and ALPACA_SECRET_KEY.",
    409: "The Alpaca plan does not include this feed (409): choose another by DATA_SOURCES__ALPACA__FEED.",
}
_LOST = {
    404: "Alpaca says that the login took too long (404).",
    406: "Alpaca says that there is another connection with this key already (406); the plan allows no more.",
    407: "Alpaca says that we read too slowly (407).",
    500: "Alpaca has an internal error (500).",
}
CONNECTION_LIMIT, SLOW_CLIENT = 406, 407
_ALREADY_IN, _SYMBOL_LIMIT, _NOT_ON_THIS_FEED = 403, 405, 410
_NO_STATUSES = frozenset({400, 405, 409, 410})


class LostError(Exception):
    """The venue wants this connection to end; another one may do better."""

    def __init__(self, sentence: str, code: int = 0) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Keys:
    """The key pair of an account; it is never shown."""

    key: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(slots=True)
class Session:
    """What was asked on one connection and what came of it; `statuses` says whether those are wanted and had."""

    keys: Keys
    channel: Prices
    symbols: Sequence[str]
    statuses: bool = False
    subscribed: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    ready: bool = False
    _asked: tuple[str, ...] = ()
    _to_ask: list[tuple[str, ...]] = field(default_factory=list)
    _awaits_statuses: bool = False

    def hear(self, message: Message) -> Message | None:
        """Return the answer to a control message, if it needs one.

        Raises LostError where another connection is needed, FeedError where none would help.
        """
        kind, word = message.get("T"), message.get("msg")
        if kind == "error":
            return self._refused(message.get("code"))
        if kind == "subscription":
            return self._confirmed(message.get(self.channel))
        if word == "connected":
            return {"action": "auth", "key": self.keys.key, "secret": self.keys.secret}
        if word == "authenticated" and not self._asked:
            self._to_ask = [tuple(self.symbols)]
            return self._next()
        return None

    def _confirmed(self, names: object) -> Message | None:
        self._awaits_statuses = False
        if not isinstance(names, list) or not self._asked or self.ready:
            return None
        self.subscribed = {name for name in self.symbols if name in names}
        for name in self._asked:
            if name not in self.subscribed:
                self.refused[name] = "it is not in the confirmed subscription"
        return self._next()

    def _refused(self, code: object) -> Message | None:
        if not isinstance(code, int):
            return None
        if self._awaits_statuses and code in _NO_STATUSES:
            self._awaits_statuses = self.statuses = False
            return None
        if code in _FATAL:
            raise FeedError(_FATAL[code])
        if code == _ALREADY_IN:
            return None
        if code in {_SYMBOL_LIMIT, _NOT_ON_THIS_FEED}:
            return self._do_with_less(code) if self._asked and not self.ready else None
        raise LostError(_LOST.get(code, f"Alpaca reports the error {code}."), code)

    def _do_with_less(self, code: int) -> Message | None:
        if code == _SYMBOL_LIMIT and len(self._asked) > 1:
            half = len(self._asked) // 2
            self._to_ask[:0] = [self._asked[:half], self._asked[half:]]
            return self._next()
        why = "the plan's symbol limit (405)" if code == _SYMBOL_LIMIT else "this feed has none of it (410)"
        # Where not even one more fits, no other will.
        self.refused |= dict.fromkeys([*self._asked, *(name for part in self._to_ask for name in part)], why)
        self._to_ask.clear()
        return self._next()

    def _next(self) -> Message | None:
        if self._to_ask:
            self._asked = self._to_ask.pop(0)
            return {"action": "subscribe", self.channel: list(self._asked)}
        if not self.subscribed:
            reasons = " and ".join(sorted(set(self.refused.values())))
            raise FeedError(f"Alpaca sends the {self.channel} of none of the symbols asked for: {reasons}.")
        self.ready = True
        self._awaits_statuses = self.statuses
        return {"action": "subscribe", "statuses": self.priced()} if self.statuses else None

    def priced(self) -> list[str]:
        """Return the subscribed symbols in the order they were given."""
        return [name for name in self.symbols if name in self.subscribed]

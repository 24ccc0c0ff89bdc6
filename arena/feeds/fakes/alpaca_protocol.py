"""The protocol of the fake Alpaca without sockets: messages, login and subscription, and REST responses."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.datastructures import Headers
from websockets.http11 import Response

from arena.feeds.alpaca.codec import NANOSECONDS, Encoding, Message, stamp_of

_CHANNEL = "(trades|quotes|bars)"
REST_PATHS = re.compile(f"/v2/stocks/{_CHANNEL}/latest|/v1beta3/crypto/(?:us|us-1|eu-1)/latest/{_CHANNEL}")

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
# After these the venue closes the connection.
CLOSING_ERRORS = frozenset({402, 404, 406, 409, 500})
# The channel of a data message, by its T.
CHANNEL_OF = {
    "t": "trades", "q": "quotes", "b": "bars", "u": "updatedBars", "d": "dailyBars", "s": "statuses",
    "l": "lulds", "c": "corrections", "x": "cancelErrors", "o": "orderbooks",
}  # fmt: skip

_STOCKS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
_CRYPTO = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
_FOLLOWING = ("corrections", "cancelErrors")
_COUNTED = ("trades", "quotes")
_KEPT_TRADES = 1_000  # of a symbol
_REST_FEEDS = frozenset({"", "iex", "sip", "delayed_sip"})
_MINUTE = 60


def trade_message(symbol: str, price: float, trade_id: int, moment: int) -> Message:
    """Return a trade; a crypto pair's has a taker's side, a stock's an exchange and conditions."""
    base = {"T": "t", "S": symbol, "i": trade_id, "p": price, "s": 1, "t": moment}
    return base | ({"tks": "B"} if "/" in symbol else {"x": "V", "c": ["@"], "z": "C"})


def quote_message(symbol: str, bid: float, ask: float, moment: int) -> Message:
    """Return a quote."""
    base = {"T": "q", "S": symbol, "bp": bid, "bs": 1, "ap": ask, "as": 4, "t": moment}
    return base if "/" in symbol else base | {"bx": "V", "ax": "V", "c": ["R"], "z": "C"}


def bar_message(symbol: str, close: float, opened: int) -> Message:
    """Return a minute bar; its time is its beginning."""
    return {
        "T": "b", "S": symbol, "o": close, "h": close, "l": close, "c": close, "v": 100, "n": 3, "vw": close,
        "t": opened,
    }  # fmt: skip


def correction_message(original: Message, new_id: int, price: float, moment: int) -> Message:
    """Return the correction of a trade."""
    return {
        "T": "c", "S": original["S"], "x": original.get("x", ""),
        "oi": original["i"], "op": original["p"], "os": original["s"], "oc": original.get("c", []),
        "ci": new_id, "cp": price, "cs": original["s"], "cc": original.get("c", []),
        "z": original.get("z", ""), "t": moment,
    }  # fmt: skip


def cancel_message(original: Message, moment: int) -> Message:
    """Return the cancellation of a trade."""
    return {
        "T": "x", "S": original["S"], "i": original["i"], "x": original.get("x", ""), "p": original["p"],
        "s": original["s"], "a": "C", "z": original.get("z", ""), "t": moment,
    }  # fmt: skip


def status_message(symbol: str, code: str, text: str, moment: int) -> Message:
    """Return a trading status, such as a halt."""
    return {
        "T": "s", "S": symbol, "sc": code, "sm": text, "rc": "T12", "rm": "News pending", "z": "C", "t": moment,
    }  # fmt: skip


def error_message(code: int) -> Message:
    """Return an error message."""
    return {"T": "error", "code": code, "msg": ERRORS[code]}


class FakeAlpacaSession:
    """The login and subscriptions of one connection, and the replies to the client's actions."""

    def __init__(self, encoding: Encoding, admit: Callable[[object, object], int | None], *, crypto: bool) -> None:
        self.encoding = encoding
        self.authenticated = False
        self.symbol_limit: int | None = None
        self.unavailable: Mapping[str, int] = {}
        self.send_lock = asyncio.Lock()  # one frame at a time, however slowly it goes out
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
        """Return a message with its time in the connection's encoding; a time that is no number stays."""
        moment = message.get("t")
        return message | {"t": stamp_of(moment, self.encoding)} if isinstance(moment, int) else message

    def answer(self, request: object) -> Message:
        """Return the reply to one message of the client."""
        if not isinstance(request, dict):
            return error_message(400)
        action = request.get("action")
        if action == "auth":
            return self.log_in(request.get("key"), request.get("secret"))
        if action not in {"subscribe", "unsubscribe"}:
            return error_message(400)
        return self._change(request) if self.authenticated else error_message(401)

    def log_in(self, key: object, secret: object) -> Message:
        """Return the reply to a login, by message or by the headers of the handshake."""
        if self.authenticated:
            return error_message(403)
        refusal = self._admit(key, secret)
        if refusal is not None:
            return error_message(refusal)
        self.authenticated = True
        return {"T": "success", "msg": "authenticated"}

    def _change(self, request: Message) -> Message:
        named = {name: value for name, value in request.items() if name != "action"}
        if not all(isinstance(value, list) and all(isinstance(s, str) for s in value) for value in named.values()):
            return error_message(400)
        if not named.keys() <= set(self._channels):
            return error_message(410)
        if missing := named.keys() & self.unavailable.keys():
            return error_message(self.unavailable[min(missing)])
        wanted = {name: dict(symbols) for name, symbols in self._wants.items()}
        for name, symbols in named.items():
            for symbol in symbols:
                if request["action"] == "subscribe":
                    wanted[name][symbol] = None
                else:
                    wanted[name].pop(symbol, None)
        if self.symbol_limit is not None and sum(len(wanted[name]) for name in _COUNTED) > self.symbol_limit:
            return error_message(405)
        self._wants = wanted
        return self.subscription()

    def subscription(self) -> Message:
        """Return the whole subscription; trades bring their corrections and cancellations."""
        full = {name: list(symbols) for name, symbols in self._wants.items()}
        return {"T": "subscription"} | full | dict.fromkeys(self._following, full["trades"])


class FakeAlpacaMarket:
    """The trades, quotes and bars of each symbol; each method returns its data message.

    Times are integer nanoseconds.
    """

    def __init__(self) -> None:
        self._trades: dict[str, deque[Message]] = {}
        self._last: dict[tuple[str, str], Message] = {}
        self._ids: Counter[str] = Counter()

    def trade(self, symbol: str, price: float, trade_id: int | None, moment: int, **more: object) -> Message:
        """Make a trade; without an id it gets the next one, and `more` replaces fields."""
        if trade_id is None:
            trade_id = self._ids[symbol] + 1
        self._ids[symbol] = max(self._ids[symbol], trade_id)
        made = trade_message(symbol, price, trade_id, moment) | more
        self._trades.setdefault(symbol, deque(maxlen=_KEPT_TRADES)).append(made)
        return made

    def correct(self, symbol: str, trade_id: int, price: float, moment: int) -> Message:
        """Replace a trade by one with another price and a new id."""
        self._ids[symbol] += 1
        original = self._find(symbol, trade_id)
        trades = self._trades[symbol]
        trades[trades.index(original)] = original | {"i": self._ids[symbol], "p": price}
        return correction_message(original, self._ids[symbol], price, moment)

    def cancel(self, symbol: str, trade_id: int, moment: int) -> Message:
        """Cancel a trade."""
        original = self._find(symbol, trade_id)
        self._trades[symbol].remove(original)
        return cancel_message(original, moment)

    def quote(self, symbol: str, bid: float, ask: float, moment: int) -> Message:
        """Make a quote."""
        return self._keep(quote_message(symbol, bid, ask, moment))

    def bar(self, symbol: str, close: float, opened: int) -> Message:
        """Make a minute bar."""
        return self._keep(bar_message(symbol, close, opened))

    def latest(self, channel: str, symbol: str) -> Message | None:
        """Return the newest of a channel (trades, quotes, bars), None where there is none."""
        if channel == "trades":
            return max(self._trades.get(symbol, ()), key=lambda trade: int(trade["t"]), default=None)
        return self._last.get((channel, symbol))

    def _keep(self, message: Message) -> Message:
        self._last[{"q": "quotes", "b": "bars"}[message["T"]], message["S"]] = message
        return message

    def _find(self, symbol: str, trade_id: int) -> Message:
        return next(trade for trade in reversed(self._trades[symbol]) if trade["i"] == trade_id)


class FakeAlpacaRest:
    """Latest prices for one account; the keys are checked and the requests of each minute counted."""

    def __init__(
        self, market: FakeAlpacaMarket, key: str, secret: str, clock_ns: Callable[[], int], per_minute: int
    ) -> None:
        self.per_minute = per_minute
        self.requests: list[str] = []
        self._market = market
        self._keys = key, secret
        self._clock_ns = clock_ns
        self._minute = 0
        self._used = 0
        self._refusals: list[int] = []

    def refuse(self, status: int, *, times: int = 1) -> None:
        """Answer the next requests with an HTTP error."""
        self._refusals += [status] * times

    def answer(self, target: str, headers: Mapping[str, str]) -> Response:
        """Return the response to a GET."""
        self.requests.append(target)
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
        match = REST_PATHS.fullmatch(url.path)
        names = [name for name in query.get("symbols", "").split(",") if name]
        if match is None or not names or query.get("feed", "") not in _REST_FEEDS:
            return self._response(400, {"message": "invalid request"})
        channel = match[1] or match[2]
        found = {name: self._market.latest(channel, name) for name in names}
        return self._response(200, {channel: {name: _entry(each) for name, each in found.items() if each is not None}})

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
    """Return a message as an entry of a REST response: without kind and symbol, the time as text."""
    return {name: value for name, value in message.items() if name not in {"T", "S"}} | {
        "t": stamp_of(message["t"], "json")
    }

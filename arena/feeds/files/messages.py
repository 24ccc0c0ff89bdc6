"""What one message of a venue says about prices, where no parser of a live feed reads it.

That is what only captures of others hold: books, tickers and bars of Binance, Coinbase, Alpaca's
answers. A price is a tuple of level, symbol, price cell, and the venue's time or None. Deals set
prices; the middle of the book only where a file has no deals; other last prices where it has neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arena.feeds.files.times import stamp

DEAL, BOOK, LAST = 0, 1, 2
LIVE = frozenset(("trade", "aggTrade", "24hrMiniTicker"))  # Binance's events that its feed's parser reads

Message = dict[str, Any]
Price = tuple[int, Any, Any, float | None]

_SILENT_BINANCE = frozenset((
    "depthUpdate", "depth", "markPriceUpdate", "forceOrder", "indexPriceUpdate", "compositeIndex",
    "openInterest", "outboundAccountPosition", "serverShutdown", "referencePrice", "avgPrice",
    "1hTicker", "4hTicker", "1dTicker", "contractInfo", "fundingRate",
))  # fmt: skip
_SILENT_COINBASE = frozenset((
    "subscriptions", "subscribe", "unsubscribe", "snapshot", "l2update", "heartbeat", "status",
    "error", "open", "done", "received", "change", "activate",
))  # fmt: skip
_SILENT_ALPACA = frozenset((
    "success", "subscription", "error", "c", "x", "l", "s", "u", "d", "o", "n",
))  # fmt: skip


def prices_of(message: object) -> tuple[str, list[Price]]:
    """Return the message's kind and the prices it sets; the kind is empty for unknown messages."""
    if isinstance(message, list):
        return _merge([prices_of(part) for part in message])
    if not isinstance(message, dict):
        return "", []
    if "data" in message and ("stream" in message or "e" not in message):
        return prices_of(message["data"])
    for name, read in _FAMILIES:
        if name in message:
            found = read(message)
            if found[0]:
                return found
    return _unmarked(message)


def _merge(parts: list[tuple[str, list[Price]]]) -> tuple[str, list[Price]]:
    kinds = [kind for kind, _ in parts if kind]
    return kinds[0] if kinds else "", [price for _, prices in parts for price in prices]


def _binance(message: Message) -> tuple[str, list[Price]]:
    event = message["e"]
    get = message.get
    if event == "24hrTicker":
        return event, [(LAST, get("s"), get("c"), stamp(get("E")))]
    if event == "kline":
        bar = get("k") or {}
        return event, [(LAST, get("s"), bar.get("c"), stamp(get("E")))]
    if event == "bookTicker":
        return _binance_book(message)
    return (event, []) if event in _SILENT_BINANCE | LIVE else ("", [])


def _binance_book(message: Message) -> tuple[str, list[Price]]:
    get = message.get
    time = stamp(get("T")) or stamp(get("E"))
    return "bookTicker", [(BOOK, get("s"), _middle(get("b"), get("a")), time)]


def _middle(bid: Any, ask: Any) -> float | None:
    try:
        low, high = float(bid), float(ask)
    except (TypeError, ValueError):
        return None
    return (low + high) / 2 if low > 0 and high > 0 else 0.0


def _coinbase(message: Message) -> tuple[str, list[Price]]:
    event = message["type"]
    get = message.get
    if event in {"match", "last_match"}:
        return event, [(DEAL, get("product_id"), get("price"), stamp(get("time")))]
    if event == "ticker":
        return event, [(LAST, get("product_id"), get("price"), stamp(get("time")))]
    return (event, []) if event in _SILENT_COINBASE else ("", [])


def _alpaca(message: Message) -> tuple[str, list[Price]]:
    event = message["T"]
    get = message.get
    if event == "t":
        return "trade", [(DEAL, get("S"), get("p"), stamp(get("t")))]
    if event == "q":
        return "quote", [(BOOK, get("S"), _middle(get("bp"), get("ap")), stamp(get("t")))]
    if event == "b":
        start = stamp(get("t"))
        # A minute bar is stamped with its start, and its close is not known before its end.
        return "bar", [(LAST, get("S"), get("c"), None if start is None else start + 60)]
    return (event, []) if event in _SILENT_ALPACA else ("", [])


def _alpaca_rest(message: Message) -> tuple[str, list[Price]]:
    """Read the trades and quotes of an Alpaca answer; its bars do not say how long they are."""
    prices: list[Price] = []
    for field, tag in (("trades", "t"), ("quotes", "q")):
        answers = message.get(field)
        for symbol, found in answers.items() if isinstance(answers, dict) else ():
            for entry in found if isinstance(found, list) else [found]:
                prices += _alpaca({**entry, "T": tag, "S": symbol})[1]
    known = any(isinstance(message.get(f), dict) for f in ("trades", "quotes", "bars", "auctions"))
    # Prices that the answer converted to another currency would jump against the others.
    return ("answer" if known else "", [] if "currency" in message else prices)


def _unmarked(message: Message) -> tuple[str, list[Price]]:
    """Recognise what carries no mark of its kind: book tickers, book snapshots, replies."""
    keys = message.keys()
    if {"u", "b", "a", "s"} <= keys:
        return _binance_book(message)
    if {"bids", "asks"} <= keys or "lastUpdateId" in keys:
        return "depth", []
    if {"result", "id"} <= keys or {"code", "msg"} <= keys or "method" in keys or "action" in keys:
        return "reply", []
    return "", []


_FAMILIES: tuple[tuple[str, Callable[[Message], tuple[str, list[Price]]]], ...] = (
    ("e", _binance),
    ("type", _coinbase),
    ("T", _alpaca),
    ("trades", _alpaca_rest),
    ("quotes", _alpaca_rest),
    ("bars", _alpaca_rest),
    ("auctions", _alpaca_rest),
)

"""Recorded websocket frames, one to a line, with or without the time they were received.

    1723161253937085768 {"stream":…}        hftbacktest: local nanoseconds
    1633998512.0633569: {"stream":…}        cryptofeed: local seconds; lines of `wss://` are ours
    {"stream":…}                            bare messages, whose own time counts

A frame counts when it was received, as it would have live, and Binance's are read by the parser that
reads them live. The book's middle sets prices only in a file without trades and mini tickers.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from arena.errors import MarketDataError
from arena.feeds.base import PriceUpdate
from arena.feeds.binance.parser import BinanceParser
from arena.feeds.files.report import Floats, Report, Rows
from arena.feeds.files.sources import ACCEPTED
from arena.feeds.files.times import stamp

_STAMPED = re.compile(rb"[^\s{\[]{6,40}:?\s+[{\[]")
_LEVELS = (
    "trades and mini tickers",
    "the middle of the book",
    "last prices of tickers and bars",
)
_SHOWN = 6
# What the live parser calls payloads that hold prices of Binance, told before or not.
_TOLD = frozenset({"prices", "duplicates", "backfilled"})

Timed = tuple[float | None, bytes]


def looks_recorded(head: bytes) -> bool:
    """Tell recorded frames by a time before a JSON text, or a line that opens a connection."""
    line = head.lstrip().split(b"\n", 1)[0]
    return line.startswith((b"wss://", b"ws://")) or _is_stamped(line)


def _is_stamped(line: bytes) -> bool:
    match = _STAMPED.match(line)
    return bool(match) and _time(line.split(None, 1)[0]) is not None


def _time(text: bytes) -> float | None:
    return stamp(text.decode("ascii", errors="replace").removesuffix(":"))


def from_lines(lines: Iterable[bytes], report: Report) -> Rows:
    """Return the prices of the lines of a file of frames."""
    return _rows(_timed(lines, report), report)


def from_messages(messages: Iterable[object], report: Report) -> Rows:
    """Return the prices of messages that stand in one JSON document, at their own times."""
    return _rows(((None, orjson.dumps(message)) for message in messages), report)


def _timed(lines: Iterable[bytes], report: Report) -> Iterator[Timed]:
    for line in lines:
        text = line.strip()
        if not text or text.startswith((b"wss://", b"ws://", b"#")):
            continue
        received: float | None = None
        if text[:1] not in {b"{", b"["}:
            head, _, text = text.partition(b" ")
            received = _time(head)
            if received is None:
                report.count("unparsable")
                continue
        yield received, text


def _rows(frames: Iterable[Timed], report: Report) -> Rows:
    heard = _Heard(report)
    for received, payload in frames:
        heard.take(received, payload)
    return heard.rows()


@dataclass(slots=True)
class _Level:
    """Prices of one level, in few bytes each: a capture has many more of the book than it has deals."""

    times: array[float] = field(default_factory=lambda: array("d"))
    prices: array[float] = field(default_factory=lambda: array("d"))
    codes: array[int] = field(default_factory=lambda: array("q"))
    broken: bytearray = field(default_factory=bytearray)
    symbols: dict[str, int] = field(default_factory=dict)

    def add(self, time: float, symbol: str, cell: Any) -> None:
        price = _number(cell)
        self.times.append(time)
        self.prices.append(price)
        self.codes.append(self.symbols.setdefault(symbol, len(self.symbols)))
        # What is no number at all, as against what says NaN.
        self.broken.append(math.isnan(price) and str(cell).lower() != "nan")

    def rows(self) -> Rows:
        broken = np.array(self.broken, dtype=np.bool_)
        names = sorted(self.symbols)
        ranks = np.array([names.index(name) for name in self.symbols], dtype=np.int64)
        return Rows(
            np.array(self.times),
            np.array(self.prices),
            broken if broken.any() else None,
            tuple(names),
            ranks[np.array(self.codes, dtype=np.int64)],
        )


class _Heard:
    """The prices of one file's frames so far, by level: deals, the book, other last prices."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._binance = BinanceParser()
        self._level = len(_LEVELS)
        self._found = _Level()
        self._kinds: Counter[str] = Counter()
        self._lags = array("d")

    def take(self, received: float | None, payload: bytes) -> None:
        """Read one frame, by Binance's parser first."""
        kind, updates = self._binance.parse_with_kind(payload, math.inf if received is None else received)
        if kind in _TOLD:
            self._kinds["Binance prices"] += 1
            self._report.count("repeated", kind == "duplicates")
            for update in updates:
                self._price(received, update)
            return
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError:
            message = None
        if message is None or kind == "bad_prices":
            self._report.count("unparsable")
        else:
            self._take_other(received, message)

    def _price(self, received: float | None, update: PriceUpdate) -> None:
        self._add(DEAL, received, update.event_time, update.symbol, update.price)

    def _add(self, level: int, received: float | None, event: float | None, symbol: object, cell: object) -> None:
        """Keep one price, unless there are better ones."""
        time = event if received is None else received
        if time is None or not isinstance(symbol, str):
            self._report.count("no_time" if time is None else "no_symbol")
        elif level <= self._level:
            if level < self._level:
                self._level, self._found = level, _Level()
            self._found.add(time, symbol, cell)
            if level == DEAL and received is not None and event is not None:
                self._lags.append(received - event)

    def _take_other(self, received: float | None, message: Any) -> None:
        """Open what Binance's parser does not: transcripts, which keep a frame's text under `raw`, and lists."""
        if isinstance(message, dict) and isinstance(message.get("raw"), str):
            # What the recorder itself said sets no price.
            if message.get("dir") != ">":
                self.take(received, message["raw"].encode())
        elif events := _events(message):
            for event in events:
                self.take(received, orjson.dumps(event))
        else:
            self._take_foreign(received, message)

    def _take_foreign(self, received: float | None, message: object) -> None:
        kind, prices = prices_of(message)
        if kind in LIVE:
            # The live parser has had it and could make nothing of it.
            self._report.count("unparsable")
            return
        self._kinds[kind] += 1
        for level, symbol, price, event in prices:
            self._add(level, received, event, symbol, price)

    def rows(self) -> Rows:
        """Take the best level that the file has, and say what it was."""
        report, kinds = self._report, self._kinds
        report.count("unknown_frames", kinds.pop("", 0))
        seen = ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common(_SHOWN))
        if self._level == len(_LEVELS):
            raise MarketDataError(
                f"{report.name} has no frame that sets a price; it holds {seen or 'no known frame'}. {ACCEPTED}"
            )
        report.remark(f"Prices come from {_LEVELS[self._level]}; the frames are {seen}.")
        if self._level >= BOOK:
            report.remark("The file has no trade and no mini ticker.")
        lag = float(np.median(self._lags)) if self._lags else 0.0
        if abs(lag) > 0.5:
            side = "behind" if lag < 0 else "ahead of"
            report.remark(f"The recorder's clock is about {abs(lag):.2f} s {side} the exchange's.")
        return self._found.rows()


def _events(message: Any) -> list[dict[str, Any]]:
    """Return Binance's events out of a list or an envelope that the live feed never gets, else nothing."""
    inner = message.get("data") if isinstance(message, dict) else message
    if isinstance(inner, dict) and "stream" not in message:
        inner = [inner]
    return inner if isinstance(inner, list) and all(isinstance(part, dict) and "e" in part for part in inner) else []


def numbers(cells: Iterable[Any]) -> Floats:
    """Return JSON numbers or their texts as floats, NaN where a cell is neither."""
    cells = list(cells)
    try:
        return np.array(cells, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([_number(cell) for cell in cells], dtype=np.float64)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


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
    for kind, tag in (("trades", "t"), ("quotes", "q")):
        answers = message.get(kind)
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

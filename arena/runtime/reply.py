"""What a bot did, as bytes on their way up: the worker writes them, the engine reads them as hostile.

A reply: u32 ticks done, f64 cash and f64 realized of the worker's own mirror of the account, then records
in order, little endian. `read_reply` answers with a `BotReply` or ValueError, whatever the bytes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from arena.core.ledger import Account
from arena.core.orders import MAX_ORDERS_PER_TICK, MAX_SYMBOL_LENGTH, Order, Rejection, Side
from arena.core.text import clean_line

MAX_REJECTIONS_PER_TICK = 1000
LOG_BYTES_PER_TICK = 4096
# So that type, line and tick of an error are within what a line of the log may hold.
_TEXT_LIMIT, _KIND_LIMIT = 300, 60

_REPLY = struct.Struct("<I2d")
_RECORD = struct.Struct("<BI")
_ORDER = struct.Struct("<BdH")
_ORDER_RECORD = struct.Struct("<BIBdH")
_U32 = struct.Struct("<I")
_U16 = struct.Struct("<H")
_F64 = struct.Struct("<d")


class Record(IntEnum):
    """Kinds of records in a reply."""

    ORDER = 1
    REJECTED = 2
    OVERFLOW = 3
    LOG = 4
    LOGS_DROPPED = 5
    ERROR = 6
    TRACE = 7


_ORDER_KIND = int(Record.ORDER)
HEAD_BYTES = _REPLY.size
# Looked up once: an enumeration's attribute costs ten times a global.
_BUY, _SELL, _INFINITE = Side.BUY, Side.SELL, math.inf


class Level(IntEnum):
    """Levels of a bot's log lines."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


class Where(IntEnum):
    """What a bot was doing when it raised."""

    load = 0
    init = 1
    on_tick = 2


class BotError(NamedTuple):
    """An exception of a bot: what it was doing, the exception's text and type, the line in its file or 0."""

    where: Where
    text: str
    kind: str
    line: int
    memory: bool = False

    def told(self, tick: int) -> str:
        """Return the text with type, line and tick; of `load` and `init` it is the tick that they come before."""
        line = f"line {self.line}, " if self.line else ""
        return f"{clean_line(self.text, _TEXT_LIMIT)} ({clean_line(self.kind, _KIND_LIMIT)}, {line}tick {tick})"


class ReplyWriter:
    """Collects what a bot does; `size` is what the reply would weigh."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = _REPLY.size

    def _add(self, kind: Record, tick: int, body: bytes) -> None:
        part = _RECORD.pack(kind, tick) + body
        self._parts.append(part)
        self.size += len(part)

    def order(self, tick: int, order: Order) -> None:
        """Add an order."""
        symbol = order.symbol.encode("utf-8", "replace")
        part = _ORDER_RECORD.pack(_ORDER_KIND, tick, order.side is _SELL, order.size, len(symbol)) + symbol
        self._parts.append(part)
        self.size += len(part)

    def rejected(self, tick: int, rejection: Rejection) -> None:
        """Add a rejection made on the spot."""
        size = math.nan if rejection.size is None else rejection.size
        texts = _text(rejection.side) + _text(rejection.symbol) + _text(rejection.reason)
        self._add(Record.REJECTED, tick, _F64.pack(size) + texts)

    def overflow(self, tick: int, count: int) -> None:
        """Add a count of requests beyond those recorded one by one."""
        self._add(Record.OVERFLOW, tick, _U32.pack(min(count, 0xFFFFFFFF)))

    def log(self, tick: int, level: Level, text: str) -> None:
        """Add a log line."""
        self._add(Record.LOG, tick, bytes([level]) + _text(text))

    def logs_dropped(self, tick: int, count: int) -> None:
        """Add a count of log lines beyond the limit."""
        self._add(Record.LOGS_DROPPED, tick, _U32.pack(min(count, 0xFFFFFFFF)))

    def error(self, tick: int, error: BotError) -> None:
        """Add an exception of the bot."""
        head = bytes([error.where, error.memory]) + _U32.pack(error.line)
        self._add(Record.ERROR, tick, head + _text(error.kind) + _text(error.text))

    def finish(self, done: int, cash: float, realized: float) -> bytes:
        """Return the reply, and begin the next one."""
        head = _REPLY.pack(done, cash, realized)
        if not self._parts:
            return head
        reply = head + b"".join(self._parts)
        self._parts.clear()
        self.size = _REPLY.size
        return reply


def quiet_reply(account: Account) -> bytes:
    """Return the reply to one tick of a bot that did nothing and whose mirror is this account."""
    return _REPLY.pack(1, account.cash, account.realized)


def trace_record(record: bytes) -> bytes:
    """Return what follows a reply to one tick whose lines were asked for."""
    return _RECORD.pack(Record.TRACE, 0) + _U32.pack(len(record)) + record


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:4096]
    return _U16.pack(len(data)) + data


class BotActions:
    """What a bot did at one tick; spelled out, because one is made for every tick with an order."""

    __slots__ = ("errors", "log_bytes", "logs", "logs_dropped", "overflow", "requests", "trace")

    def __init__(self) -> None:
        self.requests: list[Order | Rejection] = []
        self.overflow = self.logs_dropped = self.log_bytes = 0
        self.trace = b""
        self.logs: list[tuple[Level, str]] = []
        self.errors: list[BotError] = []

    @property
    def orders(self) -> list[Order]:
        """Return the well-formed orders."""
        return [request for request in self.requests if isinstance(request, Order)]


@dataclass(slots=True)
class BotReply:
    """A checked reply: ticks done, the mirror's cash and realised gain, deeds by tick index."""

    done: int
    cash: float
    realized: float
    deeds: dict[int, BotActions]


class _Cursor:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    def take(self, form: struct.Struct) -> tuple[int | float, ...]:
        if self.at + form.size > len(self._data):
            raise ValueError("a record that ends too early")
        values = form.unpack_from(self._data, self.at)
        self.at += form.size
        return values

    def take_bytes(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._data):
            raise ValueError("a record that ends too early")
        data = self._data[self.at : end]
        self.at = end
        return data

    def text(self) -> str:
        (size,) = self.take(_U16)
        end = self.at + int(size)
        if end > len(self._data):
            raise ValueError("a text that ends too early")
        data = self._data[self.at : end]
        self.at = end
        return data.decode("utf-8", "replace")


_BYTE = struct.Struct("<B")
_TWO_BYTES = struct.Struct("<BB")


def read_reply(payload: bytes, sent: int) -> BotReply:
    """Read a reply to a run of `sent` ticks; ValueError says how it breaks the protocol."""
    done, cash, realized = read_head(payload, sent)
    deeds: dict[int, BotActions] = {}
    at, size, last = _REPLY.size, len(payload), 0
    ticks = max(done, 1)
    while at < size:
        if at + _RECORD.size > size:
            raise ValueError("a record that ends too early")
        kind, tick = _RECORD.unpack_from(payload, at)
        if not last <= tick < ticks:
            raise ValueError(f"a record for tick {tick}")
        last = tick
        own = deeds.get(tick)
        if own is None:
            own = deeds[tick] = BotActions()
        at += _RECORD.size
        at = _read_order(payload, at, own) if kind == _ORDER_KIND else _read_record(kind, payload, at, own)
    return BotReply(done, cash, realized, deeds)


def read_head(payload: bytes, sent: int) -> tuple[int, float, float]:
    """Read a reply's head: ticks done, cash and realised gain of the mirror; ValueError as for the whole."""
    if len(payload) < _REPLY.size:
        raise ValueError("a reply without a head")
    done, cash, realized = _REPLY.unpack_from(payload)
    if done > sent:
        raise ValueError(f"{done} ticks answered where {sent} were sent")
    return done, cash, realized


def _read_record(kind: int, payload: bytes, at: int, deeds: BotActions) -> int:
    """Read a record other than an order at a place into `deeds`; return where the next one begins."""
    cursor = _Cursor(payload, at)
    _read_other(kind, cursor, deeds)
    return cursor.at


def _read_other(kind: int, cursor: _Cursor, deeds: BotActions) -> None:
    match kind:
        case Record.REJECTED:
            deeds.requests.append(_read_rejection(cursor, deeds))
        case Record.OVERFLOW:
            deeds.overflow += int(cursor.take(_U32)[0])
        case Record.LOG:
            level = int(cursor.take(_BYTE)[0])
            if level > Level.ERROR:
                raise ValueError(f"log level {level}")
            deeds.logs.append((Level(level), cursor.text()))
            deeds.log_bytes += len(deeds.logs[-1][1])
            if deeds.log_bytes > LOG_BYTES_PER_TICK:
                raise ValueError("more log than a tick may have")
        case Record.LOGS_DROPPED:
            deeds.logs_dropped += int(cursor.take(_U32)[0])
        case Record.ERROR:
            where, memory = (int(value) for value in cursor.take(_TWO_BYTES))
            if where > Where.on_tick or len(deeds.errors) > 2:
                raise ValueError("more errors than calls")
            line = int(cursor.take(_U32)[0])
            name, text = cursor.text(), cursor.text()
            deeds.errors.append(BotError(Where(where), text, name, line, bool(memory)))
        case Record.TRACE:
            deeds.trace = cursor.take_bytes(int(cursor.take(_U32)[0]))
        case _:
            raise ValueError(f"unknown record kind {kind}")


def _read_order(payload: bytes, at: int, deeds: BotActions) -> int:
    start = at + _ORDER.size
    if start > len(payload):
        raise ValueError("a record that ends too early")
    side, size, length = _ORDER.unpack_from(payload, at)
    end = start + int(length)
    if end > len(payload):
        raise ValueError("a text that ends too early")
    symbol = _symbol(payload[start:end])
    if side > 1 or not 0.0 < size < _INFINITE:
        raise ValueError("an order that no bot can make")
    if len(symbol) > MAX_SYMBOL_LENGTH:
        raise ValueError("a symbol that no market has")
    requests = deeds.requests
    if len(requests) >= MAX_ORDERS_PER_TICK and len(deeds.orders) >= MAX_ORDERS_PER_TICK:
        raise ValueError("more orders than a tick may have")
    requests.append(Order(symbol, _SELL if side else _BUY, size))
    return end


@lru_cache(maxsize=256)
def _symbol(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _read_rejection(cursor: _Cursor, deeds: BotActions) -> Rejection:
    (size,) = cursor.take(_F64)
    side, symbol, reason = cursor.text(), cursor.text(), cursor.text()
    if len(deeds.requests) >= MAX_ORDERS_PER_TICK + MAX_REJECTIONS_PER_TICK:
        raise ValueError("more rejections than a tick may record")
    return Rejection(symbol, side, float(size) if math.isfinite(size) else None, reason)

"""The bytes between engine and worker: runs of ticks go down, what the bot did comes up.

Everything is little endian. A run: u8 flags, u32 ticks, u16 symbols; with flag 1 the symbol table
(u32 length, JSON list); with flag 2 the account (f64 cash, realized, fees, u16 count, then u16
symbol index, f64 size, f64 average each); then per tick f64 time and one f64 price per symbol, NaN
where a symbol has no price. A reply: u32 ticks done, f64 cash and f64 realized of the worker's own
mirror, then records in order. A reply is hostile: `read_reply` answers with a `Reply` or ValueError.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from arena.core.ledger import Account, Position
from arena.core.orders import MAX_ORDERS_PER_TICK, MAX_SYMBOL_LENGTH, Order, Rejection, Side

HAS_SYMBOLS = 1
HAS_ACCOUNT = 2
MAX_REJECTIONS_PER_TICK = 1000
LOG_BYTES_PER_TICK = 4096

_RUN = struct.Struct("<BIH")
_ACCOUNT = struct.Struct("<3dH")
_POSITION = struct.Struct("<H2d")
_REPLY = struct.Struct("<I2d")
_RECORD = struct.Struct("<BI")
_ORDER = struct.Struct("<Bd")
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


# -- down -------------------------------------------------------------------------------------------


def pack_run(
    rows: bytes,
    ticks: int,
    symbols: Sequence[str],
    account: Account | None,
    *,
    with_symbols: bool,
) -> bytes:
    """Return a run of ticks; `rows` is float64 of shape (ticks, 1 + symbols): time, then prices."""
    flags = (HAS_SYMBOLS if with_symbols else 0) | (HAS_ACCOUNT if account is not None else 0)
    parts = [_RUN.pack(flags, ticks, len(symbols))]
    if with_symbols:
        table = json.dumps(list(symbols)).encode()
        parts += [_U32.pack(len(table)), table]
    if account is not None:
        parts.append(_ACCOUNT.pack(
            account.cash, account.realized, account.fees, len(account.positions)))  # fmt: skip
        for symbol, held in account.positions.items():
            parts.append(_POSITION.pack(symbols.index(symbol), held.size, held.average))
    parts.append(rows)
    return b"".join(parts)


@dataclass(slots=True)
class Run:
    """A run of ticks as the worker sees it; `values` holds time and prices, tick after tick."""

    ticks: int
    symbols: tuple[str, ...]
    account: Account | None
    values: tuple[float, ...]


def read_run(payload: bytes, known: tuple[str, ...]) -> Run:
    """Read a run; it comes from the server and is trusted."""
    flags, ticks, count = _RUN.unpack_from(payload)
    at = _RUN.size
    symbols = known
    if flags & HAS_SYMBOLS:
        (size,) = _U32.unpack_from(payload, at)
        at += _U32.size
        symbols = tuple(json.loads(payload[at : at + size]))
        at += size
    account = None
    if flags & HAS_ACCOUNT:
        cash, realized, fees, held = _ACCOUNT.unpack_from(payload, at)
        at += _ACCOUNT.size
        positions = {}
        for _ in range(held):
            index, size_held, average = _POSITION.unpack_from(payload, at)
            at += _POSITION.size
            positions[symbols[index]] = Position(size_held, average)
        account = Account(cash, positions, realized, fees)
    values = struct.unpack_from(f"<{ticks * (1 + count)}d", payload, at)
    return Run(ticks, symbols, account, values)


# -- up ---------------------------------------------------------------------------------------------


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
        side = 0 if order.side is Side.BUY else 1
        self._add(Record.ORDER, tick, _ORDER.pack(side, order.size) + _text(order.symbol))

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

    def error(self, tick: int, where: Where, text: str, *, memory: bool) -> None:
        """Add an exception of the bot."""
        self._add(Record.ERROR, tick, bytes([where, memory]) + _text(text))

    def finish(self, done: int, cash: float, realized: float) -> bytes:
        """Return the reply."""
        return _REPLY.pack(done, cash, realized) + b"".join(self._parts)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")[:4096]
    return _U16.pack(len(data)) + data


@dataclass(slots=True)
class Deeds:
    """What a bot did at one tick."""

    requests: list[Order | Rejection] = field(default_factory=list)
    overflow: int = 0
    logs: list[tuple[Level, str]] = field(default_factory=list)
    logs_dropped: int = 0
    log_bytes: int = 0
    errors: list[tuple[Where, str, bool]] = field(default_factory=list)

    @property
    def orders(self) -> list[Order]:
        """Return the well-formed orders."""
        return [request for request in self.requests if isinstance(request, Order)]


@dataclass(slots=True)
class Reply:
    """A checked reply: ticks done, the mirror's cash and realised gain, deeds by tick index."""

    done: int
    cash: float
    realized: float
    deeds: dict[int, Deeds]


class _Cursor:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at

    @property
    def more(self) -> bool:
        return self.at < len(self._data)

    def take(self, form: struct.Struct) -> tuple[int | float, ...]:
        if self.at + form.size > len(self._data):
            raise ValueError("a record that ends too early")
        values = form.unpack_from(self._data, self.at)
        self.at += form.size
        return values

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


def read_reply(payload: bytes, sent: int) -> Reply:
    """Read a reply to a run of `sent` ticks; ValueError says how it breaks the protocol."""
    if len(payload) < _REPLY.size:
        raise ValueError("a reply without a head")
    done, cash, realized = _REPLY.unpack_from(payload)
    if done > sent:
        raise ValueError(f"{done} ticks answered where {sent} were sent")
    reply = Reply(done, cash, realized, {})
    cursor = _Cursor(payload, _REPLY.size)
    last = 0
    while cursor.more:
        kind, tick = (int(value) for value in cursor.take(_RECORD))
        if not last <= tick < max(done, 1):
            raise ValueError(f"a record for tick {tick}")
        last = tick
        _read_record(kind, cursor, reply.deeds.setdefault(tick, Deeds()))
    return reply


def _read_record(kind: int, cursor: _Cursor, deeds: Deeds) -> None:
    match kind:
        case Record.ORDER:
            deeds.requests.append(_read_order(cursor, deeds))
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
            deeds.errors.append((Where(where), cursor.text(), bool(memory)))
        case _:
            raise ValueError(f"unknown record kind {kind}")


def _read_order(cursor: _Cursor, deeds: Deeds) -> Order:
    side, size = cursor.take(_ORDER)
    symbol = cursor.text()
    if side not in {0, 1} or not (math.isfinite(size) and size > 0.0):
        raise ValueError("an order that no bot can make")
    if len(symbol) > MAX_SYMBOL_LENGTH:
        raise ValueError("a symbol that no market has")
    if sum(type(request) is Order for request in deeds.requests) >= MAX_ORDERS_PER_TICK:
        raise ValueError("more orders than a tick may have")
    return Order(symbol, Side.SELL if side else Side.BUY, float(size))


def _read_rejection(cursor: _Cursor, deeds: Deeds) -> Rejection:
    (size,) = cursor.take(_F64)
    side, symbol, reason = cursor.text(), cursor.text(), cursor.text()
    if len(deeds.requests) >= MAX_ORDERS_PER_TICK + MAX_REJECTIONS_PER_TICK:
        raise ValueError("more rejections than a tick may record")
    return Rejection(symbol, side, float(size) if math.isfinite(size) else None, reason)

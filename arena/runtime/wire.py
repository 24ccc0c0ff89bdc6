"""The bytes between engine and worker: runs of ticks go down, what the bot did comes up (`reply`).

Everything is little endian. A run: u8 flags, u32 ticks, u16 symbols; with flag 1 the symbol table
(u32 length, JSON list); with flag 2 the account (f64 cash, realized, fees, u16 count, then u16
symbol index, f64 size, f64 average each); then per tick f64 time and one f64 price per symbol, NaN
where a symbol has no price; flag 4 says that none is missing.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from arena.core.ledger import Account, Position
from arena.runtime.reply import (
    HEAD_BYTES,
    LOG_BYTES_PER_TICK,
    MAX_REJECTIONS_PER_TICK,
    Deeds,
    Level,
    Record,
    Reply,
    ReplyWriter,
    Where,
    read_head,
    read_reply,
)

__all__ = [
    "HEAD_BYTES", "LOG_BYTES_PER_TICK", "MAX_REJECTIONS_PER_TICK", "Deeds", "Level", "Record", "Reply",
    "ReplyWriter", "Run", "Where", "pack_run", "read_head", "read_reply", "read_run",
]  # fmt: skip

HAS_SYMBOLS = 1
HAS_ACCOUNT = 2
HAS_ALL_PRICES = 4

_RUN = struct.Struct("<BIH")
_ACCOUNT = struct.Struct("<3dH")
_POSITION = struct.Struct("<H2d")
_U32 = struct.Struct("<I")


def pack_run(
    rows: bytes | memoryview[float],
    ticks: int,
    symbols: Sequence[str],
    account: Account | None,
    *,
    with_symbols: bool,
    whole: bool = False,
) -> bytes:
    """Return a run of ticks; `rows` is float64 of shape (ticks, 1 + symbols): time, then prices.

    `whole` says that no price of the run is missing.
    """
    flags = HAS_ALL_PRICES if whole else 0
    if account is None and not with_symbols:
        return _RUN.pack(flags, ticks, len(symbols)) + rows
    parts: list[bytes | memoryview[float]] = [b""]
    if with_symbols:
        flags |= HAS_SYMBOLS
        table = json.dumps(list(symbols)).encode()
        parts += [_U32.pack(len(table)), table]
    if account is not None:
        flags |= HAS_ACCOUNT
        parts.append(_ACCOUNT.pack(
            account.cash, account.realized, account.fees, len(account.positions)))  # fmt: skip
        for symbol, held in account.positions.items():
            parts.append(_POSITION.pack(symbols.index(symbol), held.size, held.average))
    parts[0] = _RUN.pack(flags, ticks, len(symbols))
    parts.append(rows)
    return b"".join(parts)


@dataclass(slots=True)
class Run:
    """A run of ticks as the worker sees it: `rows` yields time and prices, tick after tick."""

    ticks: int
    symbols: tuple[str, ...]
    account: Account | None
    rows: Iterator[tuple[float, ...]]
    whole: bool


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
    rows = _row(count).iter_unpack(memoryview(payload)[at:])
    return Run(ticks, symbols, account, rows, bool(flags & HAS_ALL_PRICES))


@lru_cache(maxsize=8)
def _row(symbols: int) -> struct.Struct:
    return struct.Struct(f"<{1 + symbols}d")

"""The bytes between engine and worker: runs of ticks go down, what the bot did comes up (`reply`).

Everything is little endian. A run: u8 flags, u32 ticks, u16 symbols; with flag 1 the symbol table
(u32 length, JSON list); with flag 2 the account (f64 cash, realized, fees, i32 day, fills, u16 count, then u16
symbol index, f64 size, f64 average each), from which on the worker's mirror settles no order of before; then per tick
f64 time and one f64 price per symbol, NaN where a symbol has no price; flag 4 says that none is missing. Flag 8, on
a run of one tick, asks for the lines that the bot runs and their values.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from arena.core.ledger import Account, Position
from arena.runtime.reply import (
    HEAD_BYTES,
    LOG_BYTES_PER_TICK,
    MAX_REJECTIONS_PER_TICK,
    BotActions,
    BotError,
    BotReply,
    Level,
    Record,
    ReplyWriter,
    Where,
    quiet_reply,
    read_head,
    read_reply,
    trace_record,
)

__all__ = [
    "HEAD_BYTES",
    "LOG_BYTES_PER_TICK",
    "MAX_REJECTIONS_PER_TICK",
    "BotActions",
    "BotError",
    "BotReply",
    "Level",
    "Record",
    "ReplyWriter",
    "Rows",
    "Run",
    "Where",
    "pack_run",
    "quiet_reply",
    "read_head",
    "read_reply",
    "read_run",
    "trace_record",
    "traced",
]  # fmt: skip

HAS_SYMBOLS = 1
HAS_ACCOUNT = 2
HAS_ALL_PRICES = 4
IS_TRACED = 8

_RUN = struct.Struct("<BIH")
_HEAD = _RUN.size
_ACCOUNT = struct.Struct("<3d2iH")
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
        held = len(account.positions)
        parts.append(_ACCOUNT.pack(account.cash, *account[2:], held))
        for symbol, (size, average) in account.positions.items():
            parts.append(_POSITION.pack(symbols.index(symbol), size, average))
    parts[0] = _RUN.pack(flags, ticks, len(symbols))
    parts.append(rows)
    return b"".join(parts)


def traced(run: bytes) -> bytes:
    """Return a run of one tick that asks for the bot's lines and values as well."""
    return bytes((run[0] | IS_TRACED,)) + run[1:]


Rows = Iterable[tuple[float, ...]]


class Run(NamedTuple):
    """A run of ticks as the worker sees it: `rows` yields time and prices, tick after tick.

    `symbols` and `account` are None where they are as before; `whole` says that no price is missing.
    """

    symbols: tuple[str, ...] | None
    account: Account | None
    rows: Rows
    whole: bool


@lru_cache(maxsize=8)
def usual_run(symbols: int) -> tuple[bytes, Callable[[bytes], tuple[float, ...]]]:
    """Return how a run of one whole tick begins that tells nothing else, and what reads its row."""
    head = _RUN.pack(HAS_ALL_PRICES, 1, symbols)
    return head, struct.Struct(f"<{len(head)}x{1 + symbols}d").unpack


def read_run(payload: bytes, known: tuple[str, ...]) -> Run:
    """Read a run; it comes from the server and is trusted."""
    flags, _, count = _RUN.unpack_from(payload)
    if not flags & (HAS_SYMBOLS | HAS_ACCOUNT):
        # The usual one; a slice of it is cheaper than a view.
        return Run(None, None, _row(count).iter_unpack(payload[_HEAD:]), bool(flags & HAS_ALL_PRICES))
    at = _HEAD
    symbols = None
    if flags & HAS_SYMBOLS:
        (size,) = _U32.unpack_from(payload, at)
        at += _U32.size
        known = symbols = tuple(json.loads(payload[at : at + size]))
        at += size
    account = None
    if flags & HAS_ACCOUNT:
        cash, realized, fees, day, fills, held = _ACCOUNT.unpack_from(payload, at)
        at += _ACCOUNT.size
        positions = {}
        for _ in range(held):
            index, size_held, average = _POSITION.unpack_from(payload, at)
            at += _POSITION.size
            positions[known[index]] = Position(size_held, average)
        account = Account(cash, positions, realized, fees, day, fills)
    return Run(symbols, account, _row(count).iter_unpack(payload[at:]), bool(flags & HAS_ALL_PRICES))


@lru_cache(maxsize=8)
def _row(symbols: int) -> struct.Struct:
    return struct.Struct(f"<{1 + symbols}d")

"""The record of one bot's run: orders, trades, log lines, errors, and the equity curve."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, overload

from arena.core.orders import Fill, OrderStatus
from arena.core.text import clean_line
from arena.engine.rows import (
    EquityColumns,
    OrderColumns,
    TradeColumns,
    equity_row,
    order_row,
    trade_row,
)
from arena.runtime.wire import BotActions, Level, Where

MAX_LOG_LINES = 20_000
EquityValues = tuple[int, float, float, float, float, float]


@dataclass(slots=True)
class OrderRecord:
    """One order as it is reported; `tick` is the tick it was made at.

    `at_once` says that it was rejected there, else `settled` is the tick it was rejected at.
    """

    tick: int
    time: float
    symbol: str
    side: str
    size: float | None
    status: OrderStatus = OrderStatus.PENDING
    reason: str | None = None
    fill_time: float | None = None
    fill_price: float | None = None
    fill_size: float | None = None
    at_once: bool = False
    settled: int = -1

    def row(self, bot_name: str, first: int = 0) -> OrderColumns:
        """Return the order as a row; its ticks count from `first`."""
        return order_row(
            self.tick + first, self.time, bot_name, symbol=self.symbol, side=self.side, size=self.size,
            status=self.status, reason=self.reason, fill_time=self.fill_time, fill_price=self.fill_price,
            fill_size=self.fill_size,
        )  # fmt: skip


class TradeRecord(NamedTuple):
    """One fill as it is reported; `tick` is the tick it happened at."""

    tick: int
    time: float
    fill: Fill

    def row(self, bot_name: str, first: int = 0) -> TradeColumns:
        """Return the fill as a row; its ticks count from `first`."""
        return trade_row(self.tick + first, self.time, bot_name, self.fill)


class EquityCurve(Sequence[EquityValues]):
    """Rows of tick, time, equity, realised, unrealised and cash; packed, 48 bytes each."""

    _WIDTH = 6

    def __init__(self) -> None:
        self._values = array("d")

    def extend(self, rows: bytes) -> None:
        """Add rows that are packed already: six doubles each."""
        self._values.frombytes(rows)

    def packed(self) -> bytes:
        """Return all rows as `extend` takes them."""
        return self._values.tobytes()

    def __len__(self) -> int:
        return len(self._values) // self._WIDTH

    @overload
    def __getitem__(self, index: int) -> EquityValues: ...
    @overload
    def __getitem__(self, index: slice) -> list[EquityValues]: ...
    def __getitem__(self, index: int | slice) -> EquityValues | list[EquityValues]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index] * self._WIDTH
        tick, time, equity, realized, unrealized, cash = self._values[place : place + self._WIDTH]
        return int(tick), time, equity, realized, unrealized, cash

    def __iter__(self) -> Iterator[EquityValues]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EquityCurve):
            return self._values == other._values
        return isinstance(other, list) and list(self) == other

    __hash__ = None  # type: ignore[assignment]


@dataclass(slots=True)
class RunRecord:
    """All that one bot's run leaves behind; `logs` are time, level and message, at most `MAX_LOG_LINES`."""

    orders: list[OrderRecord] = field(default_factory=list)
    trades: list[TradeRecord] = field(default_factory=list)
    logs: list[tuple[float, str, str]] = field(default_factory=list)
    equity: EquityCurve = field(default_factory=EquityCurve)
    # Equity at the score points, from which returns are taken.
    score_points: array[float] = field(default_factory=lambda: array("d"))
    overflow: int = 0
    errors: int = 0
    error_ticks: int = 0
    last_error: str | None = None
    load_failed: bool = False

    def note(self, bot_name: str, deeds: BotActions, time: float, tick: int) -> None:
        """Take the log lines and errors of a bot at a tick; its orders are the account's part."""
        self.overflow += deeds.overflow
        for level, text in deeds.logs:
            self.say(time, level.name, text)
        if deeds.logs_dropped:
            self.say(time, Level.WARNING.name, f"{deeds.logs_dropped} log lines dropped")
        if not deeds.errors:
            self.last_error = None
            return
        self.error_ticks += 1
        for error in deeds.errors:
            self.errors += 1
            self.last_error = error.told(tick)
            self.load_failed |= error.where is Where.load
            self.say(time, "ERROR", f"Error in bot '{bot_name}' {error.where.name}: {self.last_error}")

    def equity_rows(self, bot_name: str, first: int = 0) -> Iterator[EquityColumns]:
        """Yield the equity curve as rows; their ticks count from `first`."""
        for n, time, equity, realized, unrealized, cash in self.equity:
            yield equity_row(
                n + first, time, bot_name, equity=equity, realized=realized, unrealized=unrealized, cash=cash
            )

    def say(self, time: float, level: str, text: str) -> None:
        """Keep a log line, up to a limit."""
        if len(self.logs) < MAX_LOG_LINES:
            self.logs.append((time, level, clean_line(text)))


def rejected_count(ledger: RunRecord) -> int:
    """Return how many orders were rejected, those beyond the record included."""
    return sum(order.status is OrderStatus.REJECTED for order in ledger.orders) + ledger.overflow

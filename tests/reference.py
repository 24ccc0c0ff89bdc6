"""A second, plain simulator of the exchange, written from the contract and the guide alone.

It shares no line with the arena and is deliberately simple: one bot, one loop, dictionaries. What
it and the arena both say is then right for a better reason than that one was copied from the other.
It runs the bot with `exec`, without any sandbox: only for bots of our own.
"""

from __future__ import annotations

import builtins
import datetime as dt
import math
import random
import time as real_time
import types
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ORDERS_PER_TICK = 100


@dataclass
class Order:
    """A request and what became of it; `size` is as the bot gave it."""

    time: float
    symbol: Any
    side: Any
    size: Any
    status: str = "pending"
    reason: str = ""
    fill_time: float | None = None
    fill_price: float | None = None
    fill_size: float | None = None


@dataclass
class Fill:
    """An executed order; `size` is what was really traded."""

    time: float
    symbol: str
    side: str
    size: float
    price: float
    fee: float
    realized: float
    cash_after: float
    position_after: float


@dataclass
class Result:
    """All that a run leaves behind; the money is that of the last tick."""

    name: str
    cash: float
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    logs: list[tuple[float, str]] = field(default_factory=list)
    errors: list[tuple[float, str]] = field(default_factory=list)
    equity_curve: list[tuple[float, float]] = field(default_factory=list)
    positions: dict[str, float] = field(default_factory=dict)
    averages: dict[str, float] = field(default_factory=dict)
    equity: float = 0.0
    realized: float = 0.0
    unrealized: float = 0.0
    fees: float = 0.0
    ticks: int = 0

    @property
    def rejections(self) -> list[Order]:
        return [order for order in self.orders if order.status == "rejected"]


class Account:
    """Cash, positions at average cost, and the rules by which orders change them."""

    def __init__(self, result: Result, fee_bps: float, slippage_bps: float) -> None:
        self.result = result
        self.fee_rate = fee_bps / 1e4
        self.slippage = slippage_bps / 1e4

    def settle(self, order: Order, now: float, prices: dict[str, float]) -> None:
        price = prices.get(order.symbol)
        if price is None:
            self.reject(order, f"No price available for {order.symbol}")
        elif order.side == "BUY":
            self.buy(order, now, price * (1 + self.slippage))
        else:
            self.sell(order, now, price * (1 - self.slippage))

    def buy(self, order: Order, now: float, price: float) -> None:
        r, size = self.result, float(order.size)
        fee = price * size * self.fee_rate
        cost = price * size + fee
        if not r.cash >= cost:
            self.reject(order, f"Bot '{r.name}' has insufficient cash: ${r.cash:.2f} < ${cost:.2f}")
            return
        held = r.positions.get(order.symbol, 0.0)
        paid = held * r.averages.get(order.symbol, 0.0) + size * price
        r.cash -= cost
        r.positions[order.symbol] = held + size
        r.averages[order.symbol] = paid / (held + size)
        self.fill(order, now, size=size, price=price, fee=fee, gain=0.0)

    def sell(self, order: Order, now: float, price: float) -> None:
        r = self.result
        held = r.positions.get(order.symbol, 0.0)
        if held <= 0:
            self.reject(order, f"Bot '{r.name}' has no position in {order.symbol} to sell")
            return
        size = min(float(order.size), held)
        fee = price * size * self.fee_rate
        gain = (price - r.averages[order.symbol]) * size
        r.cash += price * size - fee
        r.realized += gain
        r.positions[order.symbol] = held - size
        if r.positions[order.symbol] == 0:
            del r.positions[order.symbol], r.averages[order.symbol]
        self.fill(order, now, size=size, price=price, fee=fee, gain=gain)

    def fill(self, order: Order, now: float, *, size: float, price: float, fee: float, gain: float) -> None:
        r = self.result
        r.fees += fee
        order.status, order.fill_time = "filled", now
        order.fill_price, order.fill_size = price, size
        after = r.positions.get(order.symbol, 0.0)
        fill = Fill(now, order.symbol, order.side, size, price, fee, gain, r.cash, after)
        r.fills.append(fill)

    def reject(self, order: Order, reason: str) -> None:
        order.status, order.reason = "rejected", reason

    def mark(self, prices: dict[str, float]) -> None:
        r = self.result
        r.equity, r.unrealized = r.cash, 0.0
        for symbol in sorted(r.positions):
            r.equity += r.positions[symbol] * prices[symbol]
            r.unrealized += (prices[symbol] - r.averages[symbol]) * r.positions[symbol]


class Context:
    """What the bot sees as `ctx`; orders wait in `pending` for the next tick."""

    def __init__(self, result: Result, prices: dict[str, float]) -> None:
        self._result, self._prices = result, prices
        self.now = 0.0
        self.asked = 0
        self.pending: list[Order] = []

    def get_price(self, symbol: str) -> float | None:
        return self._prices.get(symbol)

    def get_cash(self) -> float:
        return self._result.cash

    def get_position(self, symbol: str) -> float:
        return self._result.positions.get(symbol, 0.0)

    def log(self, message: object) -> None:
        self._result.logs.append((self.now, str(message)))

    def submit_order(self, symbol: Any, side: Any, size: Any) -> None:
        order = Order(self.now, symbol, side, size)
        self._result.orders.append(order)
        self.asked += 1
        order.reason = self._fault(symbol, side, size)
        if order.reason:
            order.status = "rejected"
        else:
            self.pending.append(order)

    def _fault(self, symbol: Any, side: Any, size: Any) -> str:
        if self.asked > ORDERS_PER_TICK:
            return "Too many orders"
        if type(side) is not str or side not in {"BUY", "SELL"}:
            return f"Unknown order side: {side!r}"
        if not _is_size(size):
            return f"Invalid order size: {size!r}"
        if not isinstance(symbol, str):
            return f"Invalid symbol: {symbol!r}"
        return ""


def _is_size(size: Any) -> bool:
    if type(size) not in {int, float} and not isinstance(size, (np.integer, np.floating)):
        return False
    # An integer that no double can hold is compared, not converted.
    return 0 < size <= 1.7976931348623157e308


def _modules_of(ctx: Context) -> dict[str, types.ModuleType]:
    """Copies of `time` and `datetime` in which it is always the time of the tick."""
    time = types.ModuleType("time")
    vars(time).update(vars(real_time))
    vars(time).update(
        time=lambda: ctx.now,
        time_ns=lambda: round(ctx.now * 1e9),
        monotonic=lambda: ctx.now,
        perf_counter=lambda: ctx.now,
    )

    class VirtualDatetime(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            utc = dt.datetime.fromtimestamp(ctx.now, dt.UTC)
            return utc.astimezone(tz) if tz else utc.replace(tzinfo=None)

        utcnow = now

    datetime = types.ModuleType("datetime")
    vars(datetime).update(vars(dt), datetime=VirtualDatetime)
    return {"time": time, "datetime": datetime}


def _load(source: str, ctx: Context) -> dict[str, Any]:
    virtual = _modules_of(ctx)

    def importer(name: str, *args: Any, **kwargs: Any) -> Any:
        return virtual.get(name) or builtins.__import__(name, *args, **kwargs)

    namespace: dict[str, Any] = {
        "__name__": "bot",
        "__builtins__": {**vars(builtins), "__import__": importer},
    }
    exec(compile(source, "<bot>", "exec"), namespace)
    return namespace


def _call(result: Result, ctx: Context, bot: dict[str, Any], where: str, *args: Any) -> None:
    try:
        bot[where](ctx, *args)
    except Exception as error:  # noqa: BLE001 - whatever a bot raises is a line in its record
        result.errors.append((ctx.now, f"Error in bot '{result.name}' {where}: {error}"))


def _tick(result: Result, now: float, prices: dict[str, float]) -> dict[str, Any]:
    """The dictionary that `on_tick` is given: copies only, so that a bot cannot spoil the books."""
    return {
        "time": now,
        "prices": dict(prices),
        "bot": {
            "cash": result.cash,
            "positions": dict(result.positions),
            "equity": result.equity,
            "realized_pnl": result.realized,
            "unrealized_pnl": result.unrealized,
        },
    }


def run(
    source: str,
    times: list[float],
    prices: list[dict[str, float]],
    *,
    starting_cash: float = 10000.0,
    fee_bps: float = 0.0,
    slippage_bps: float = 0.0,
    seed: int = 0,
) -> Result:
    """Play one bot over a market; a beat without any price yet is no tick.

    `prices` may name all symbols each time or only those that changed: they are carried forward,
    and a NaN is no price. A bot that cannot be loaded raises here.
    """
    result = Result("", starting_cash, equity=starting_cash)
    account, known = Account(result, fee_bps, slippage_bps), dict[str, float]()
    ctx = Context(result, known)
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002
    try:
        # A bot's use of something deprecated is its own affair.
        with warnings.catch_warnings(action="ignore"):
            bot = _load(source, ctx)
            result.name = bot["NAME"]
            if "init" in bot:
                _call(result, ctx, bot, "init")
            for now, news in zip(times, prices, strict=True):
                known.update({s: p for s, p in news.items() if not math.isnan(p)})
                if not known:
                    continue
                waiting, ctx.pending, ctx.asked, ctx.now = ctx.pending, [], 0, now
                for order in waiting:
                    account.settle(order, now, known)
                account.mark(known)
                result.ticks += 1
                result.equity_curve.append((now, result.equity))
                _call(result, ctx, bot, "on_tick", _tick(result, now, known))
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
    for order in ctx.pending:
        order.status = "expired"
    return result

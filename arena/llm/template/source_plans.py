"""Whole bots for the strategies that follow a plan instead of a signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arena.llm.template.intents import Dca, Grid, Hold, Pairs, Rebalance, Request, Size
from arena.llm.template.render import MOST_OF_CASH, literal, render, size_words

Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole bot file with what it is called and what it does."""

    strategy: str
    name: str
    said: str
    source: str


def _plan(template: str, strategy: str, said: str, name: str, symbols: list[str], **values: Any) -> Plan:
    listed = ", ".join(f'"{symbol}"' for symbol in symbols)
    source = render(template, said=said, name=name, listed=listed, imports=values.pop("imports", ""), **values)
    return Plan(strategy, name, said, source)


def dca(i: Dca, request: Request) -> Plan:
    """Return the bot that buys the same amount at regular intervals."""
    constant, amount = amount_of(request.size)
    said = f"Buys {size_words(request.size, request.symbol)} every {i.interval} ticks."
    name = f"DCA {i.interval} {request.symbol}"
    return _plan(
        "dca", "dca", said, name, [request.symbol],
        delay=request.delay, symbol=request.symbol, interval=i.interval, constant=constant, amount=amount,
    )  # fmt: skip


def amount_of(size: Size) -> tuple[str, str]:
    """Return the source of a size's constant, and of the units it makes at a price."""
    if size.kind == "units":
        return f"SIZE = {literal(size.value)}  # bought each time", "SIZE"
    if size.kind == "money":
        return f"DOLLARS = {literal(size.value)}  # spent each time", "DOLLARS / price"
    share = literal(round(min(size.value, MOST_OF_CASH), 6))
    return f"CASH_SHARE = {share}  # of the cash, spent each time", "cash * CASH_SHARE / price"


def hold(i: Hold, request: Request) -> Plan:
    """Return the bot that buys a portfolio once."""
    name = f"Buy and Hold {_mix(i.weights)}"
    said = f"Buys {_shares(i.weights)} with its starting cash and keeps them."
    return _plan(
        "hold", "buy_and_hold", said, name, [s for s, _ in i.weights],
        delay=request.delay, weights=_items(i.weights),
    )  # fmt: skip


def _items(weights: Weights) -> str:
    return ", ".join(f'"{symbol}": {literal(weight)}' for symbol, weight in weights)


def _mix(weights: Weights) -> str:
    return f"{'/'.join(f'{w * 100:.4g}' for _, w in weights)} {'/'.join(s for s, _ in weights)}"


def _shares(weights: Weights) -> str:
    return " and ".join(f"{weight * 100:.4g}% {symbol}" for symbol, weight in weights)


def rebalance(i: Rebalance, request: Request) -> Plan:
    """Return the bot that keeps its weights."""
    name = f"Rebalance {_mix(i.weights)}"
    when = f"every {i.interval} ticks" if i.interval > 1 else "at any tick"
    drift = f" if one has drifted by more than {i.drift * 100:.6g}%" if i.drift else ""
    said = f"Keeps {_shares(i.weights)} of its equity, restored {when}{drift}."
    return _plan(
        "rebalance", "rebalance", said, name, [s for s, _ in i.weights],
        delay=request.delay, weights=_items(i.weights), interval=i.interval, drift=literal(i.drift or 0.0005),
    )  # fmt: skip


def grid(i: Grid, request: Request) -> Plan:
    """Return the bot that buys in steps on the way down and sells on the way up."""
    ranged = i.low is not None and i.high is not None
    if ranged:
        where = f"between {i.low:.10g} and {i.high:.10g}"
        constants = f"LOW = {literal(i.low or 0)}\nHIGH = {literal(i.high or 0)}"
    else:
        where = f"{i.step * 100:.6g}% apart"
        constants = f"STEP = {literal(i.step)}  # distance between two levels, as a fraction"
    lot = {
        "units": "SIZE",
        "money": "DOLLARS / price",
        "cash": "ctx.get_cash() * CASH_SHARE / LEVELS / price",
    }[request.size.kind]
    constant = amount_of(request.size)[0].replace("spent each time", "split over all levels")
    if request.size.kind != "cash":
        constant = constant.split("  #")[0] + "  # per level"
    name = f"Grid {i.levels} x {i.step * 100:.6g}% {request.symbol}"
    if ranged:
        name = f"Grid {i.levels} {i.low:.10g}-{i.high:.10g} {request.symbol}"
    split = "in all" if request.size.kind == "cash" else "at each level"
    said = f"Trades {size_words(request.size, request.symbol)} {split} on {i.levels} levels {where}."
    return _plan(
        "grid", "grid", said, name, [request.symbol], imports="import math",
        symbol=request.symbol, levels=i.levels, constants=f"{constants}\n{constant}", ranged=ranged, amount=lot,
        moved="price" if ranged else "anchor * (1 + STEP) ** passed", delay=request.delay,
    )  # fmt: skip


def pairs(i: Pairs, request: Request) -> Plan:
    """Return the bot that buys the cheap side of a ratio."""
    constant, amount = amount_of(request.size)
    name = f"Ratio {i.period} {i.first}/{i.second}"
    said = (
        f"Buys the cheap one of {i.first} and {i.second} when their {i.period}-tick ratio is "
        f"{i.entry:.6g} deviations from its mean, and sells it at the mean."
    )
    return _plan(
        "pairs", "pairs", said, name, [i.first, i.second],
        imports="from collections import deque\nfrom statistics import fmean, pstdev",
        first=i.first, second=i.second, period=i.period, entry=literal(i.entry), constant=constant, amount=amount,
        delay=request.delay,
    )  # fmt: skip

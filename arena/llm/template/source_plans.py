"""Whole bots for the strategies that follow a plan instead of a signal."""

from __future__ import annotations

from dataclasses import dataclass

from arena.llm.template.intents import Dca, Hold, Rebalance, Request, Size
from arena.llm.template.skeleton import MOST_OF_CASH, literal, size_words

Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole bot file with what it is called and what it does."""

    strategy: str
    name: str
    said: str
    source: str


def plan_file(said: str, name: str, symbols: list[str], body: str, imports: str = "") -> str:
    """Return a bot file: docstring, imports, NAME, SYMBOLS, then the body."""
    listed = ", ".join(f'"{symbol}"' for symbol in symbols)
    head = f'"""{said}"""\n\n' + (f"{imports}\n\n" if imports else "")
    return f'{head}NAME = "{name}"\nSYMBOLS = [{listed}]\n\n{body.strip()}\n'


_INIT = '''def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")
'''

_DCA = '''
SYMBOL = "@symbol"
INTERVAL = @interval  # ticks from one purchase to the next
@constant

ticks = 0


@init

def on_tick(ctx, tick):
    """Buy at the first tick and then at every INTERVAL-th, as long as the cash lasts."""
    global ticks
    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    due = ticks % INTERVAL == 0
    ticks += 1
    if not due:
        return
    cash = ctx.get_cash()
    size = @amount
    if size <= 0 or cash < size * price:
        ctx.log(f"Not enough cash to buy {size:.8g} {SYMBOL} at {price:.8g}")
        return
    ctx.submit_order(symbol=SYMBOL, side="BUY", size=size)
    ctx.log(f"BUY {size:.8g} {SYMBOL} at {price:.8g}: regular purchase")
'''


def dca(i: Dca, request: Request) -> Plan:
    """Return the bot that buys the same amount at regular intervals."""
    constant, amount = amount_of(request.size)
    said = f"Buys {size_words(request.size, request.symbol)} every {i.interval} ticks."
    name = f"DCA {i.interval} {request.symbol}"
    body = fill(_DCA, symbol=request.symbol, interval=i.interval, constant=constant, amount=amount)
    return Plan("dca", name, said, plan_file(said, name, [request.symbol], body))


def amount_of(size: Size) -> tuple[str, str]:
    """Return the source of a size's constant, and of the units it makes at a price."""
    if size.kind == "units":
        return f"SIZE = {literal(size.value)}  # bought each time", "SIZE"
    if size.kind == "money":
        return f"DOLLARS = {literal(size.value)}  # spent each time", "DOLLARS / price"
    share = literal(round(min(size.value, MOST_OF_CASH), 6))
    return f"CASH_SHARE = {share}  # of the cash, spent each time", "cash * CASH_SHARE / price"


def fill(template: str, **values: object) -> str:
    """Put values into a source template; the longest names first, so none cuts another."""
    text = template.replace("@init", _INIT)
    for key in sorted(values, key=len, reverse=True):
        text = text.replace(f"@{key}", str(values[key]))
    return text


_HOLD = '''
WEIGHTS = {@weights}  # shares of the starting cash
KEPT_BACK = 0.01  # of each purchase: the price may rise before the fill

budget = None


@init

def on_tick(ctx, tick):
    """Buy each symbol once, as soon as it has a price."""
    global budget
    if budget is None:
        budget = ctx.get_cash()
    for symbol, weight in WEIGHTS.items():
        price = ctx.get_price(symbol)
        if price is None or ctx.get_position(symbol) > 0:
            continue
        size = budget * weight * (1 - KEPT_BACK) / price
        # Purchases of this same tick are not paid yet, but the weights add up to the cash at most.
        ctx.submit_order(symbol=symbol, side="BUY", size=size)
        ctx.log(f"BUY {size:.8g} {symbol} at {price:.8g}: {weight:.0%} of the portfolio")
'''


def hold(i: Hold, _request: Request) -> Plan:
    """Return the bot that buys a portfolio once."""
    name = f"Buy and Hold {_mix(i.weights)}"
    said = f"Buys {_shares(i.weights)} with its starting cash and keeps them."
    body = fill(_HOLD, weights=_items(i.weights))
    return Plan("buy_and_hold", name, said, plan_file(said, name, [s for s, _ in i.weights], body))


def _items(weights: Weights) -> str:
    return ", ".join(f'"{symbol}": {literal(weight)}' for symbol, weight in weights)


def _mix(weights: Weights) -> str:
    return f"{'/'.join(f'{w * 100:.4g}' for _, w in weights)} {'/'.join(s for s, _ in weights)}"


def _shares(weights: Weights) -> str:
    return " and ".join(f"{weight * 100:.4g}% {symbol}" for symbol, weight in weights)


_REBALANCE = '''
WEIGHTS = {@weights}  # shares of the equity; what is missing to 1 stays cash
INTERVAL = @interval  # ticks from one rebalancing to the next
MIN_DRIFT = @drift  # of the equity; a smaller difference is not worth an order
KEPT_BACK = 0.01  # of each purchase: the price may rise before the fill

ticks = 0


@init

def orders_to_target(ctx, prices, equity):
    """Return (difference in money, symbol) for all that has drifted, sales first."""
    drifts = []
    for symbol, weight in WEIGHTS.items():
        difference = weight * equity - ctx.get_position(symbol) * prices[symbol]
        if abs(difference) > MIN_DRIFT * equity:
            drifts.append((difference, symbol))
    return sorted(drifts)


def on_tick(ctx, tick):
    """Restore the weights whenever they are due; sales fill before the purchases they pay for."""
    global ticks
    prices = {symbol: ctx.get_price(symbol) for symbol in WEIGHTS}
    if any(price is None for price in prices.values()):
        return
    due = ticks % INTERVAL == 0
    ticks += 1
    if not due:
        return
    cash = ctx.get_cash()
    equity = cash + sum(ctx.get_position(symbol) * prices[symbol] for symbol in WEIGHTS)
    for difference, symbol in orders_to_target(ctx, prices, equity):
        side = "BUY" if difference > 0 else "SELL"
        money = min(difference, cash) * (1 - KEPT_BACK) if side == "BUY" else -difference
        cash += money if side == "SELL" else -money
        size = money / prices[symbol]
        if size <= 0:
            continue
        ctx.submit_order(symbol=symbol, side=side, size=size)
        ctx.log(f"{side} {size:.8g} {symbol} at {prices[symbol]:.8g}: back to its weight")
'''


def rebalance(i: Rebalance, _request: Request) -> Plan:
    """Return the bot that keeps its weights."""
    name = f"Rebalance {_mix(i.weights)}"
    when = f"every {i.interval} ticks" if i.interval > 1 else "at any tick"
    drift = f" if one has drifted by more than {i.drift * 100:.6g}%" if i.drift else ""
    said = f"Keeps {_shares(i.weights)} of its equity, restored {when}{drift}."
    body = fill(
        _REBALANCE,
        weights=_items(i.weights),
        interval=i.interval,
        drift=literal(i.drift or 0.0005),
    )
    return Plan("rebalance", name, said, plan_file(said, name, [s for s, _ in i.weights], body))

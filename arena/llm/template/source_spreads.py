"""Whole bots that trade distances: the grid, and the ratio of two symbols."""

from __future__ import annotations

from arena.llm.template.intents import Grid, Pairs, Request
from arena.llm.template.skeleton import literal, size_words
from arena.llm.template.source_plans import Plan, amount_of, fill, plan_file

_GRID = '''
SYMBOL = "@symbol"
LEVELS = @levels  # lots held at most
@constants

anchor = None  # the price of the last level that was passed
lot = None  # units bought or sold at each level
lots = 0


@init

@distance


def on_tick(ctx, tick):
    """Buy one lot for each level the price falls through, sell one for each it rises through."""
    global anchor, lot, lots
    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    if anchor is None:
        anchor, lot = price, @amount
        return
    position = ctx.get_position(SYMBOL)
    passed = levels_passed(price)
    if passed == 0:
        return
    anchor = @moved
    wanted = max(0, min(LEVELS, lots - passed))
    change, lots = wanted - lots, wanted
    if change > 0 and ctx.get_cash() >= change * lot * price:
        ctx.submit_order(symbol=SYMBOL, side="BUY", size=change * lot)
        ctx.log(f"BUY {change * lot:.8g} {SYMBOL} at {price:.8g}: fell through {change} level(s)")
    elif change > 0:
        lots -= change
        ctx.log(f"Not enough cash to buy {change * lot:.8g} {SYMBOL} at {price:.8g}")
    elif change < 0 and position > 0:
        # The last lot takes what rounding has left over with it.
        size = position if lots == 0 else min(position, -change * lot)
        ctx.submit_order(symbol=SYMBOL, side="SELL", size=size)
        ctx.log(f"SELL {size:.8g} {SYMBOL} at {price:.8g}: rose through {-change} level(s)")
'''
_BY_STEP = '''def levels_passed(price):
    """Return how many levels the price has risen (or fallen, below zero) since the anchor."""
    return int(math.log(price / anchor) / math.log(1 + STEP))'''
_BY_RANGE = '''def level_of(price):
    """Return the number of levels between LOW and the price, within the range."""
    return max(0, min(LEVELS, math.floor((price - LOW) / (HIGH - LOW) * LEVELS)))


def levels_passed(price):
    """Return how many levels the price has risen (or fallen, below zero) since the anchor."""
    return level_of(price) - level_of(anchor)'''


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
    body = fill(
        _GRID,
        symbol=request.symbol,
        levels=i.levels,
        constants=f"{constants}\n{constant}",
        distance=_BY_RANGE if ranged else _BY_STEP,
        amount=lot,
        moved="price" if ranged else "anchor * (1 + STEP) ** passed",
    )
    source = plan_file(said, name, [request.symbol], body, "import math")
    return Plan("grid", name, said, source)


_PAIRS = '''
FIRST = "@first"
SECOND = "@second"
PERIOD = @period  # ticks of the mean of FIRST divided by SECOND
ENTRY = @entry  # standard deviations from that mean at which one of them is cheap
@constant

ratios = deque(maxlen=PERIOD)


@init

def find_score(first_price, second_price):
    """Return how many deviations the ratio is from its mean, or None while that is unknown."""
    ratios.append(first_price / second_price)
    deviation = pstdev(ratios)
    if len(ratios) < PERIOD or deviation == 0:
        return None
    return (ratios[-1] - fmean(ratios)) / deviation


def buy(ctx, symbol, price, score):
    """Order the cheap side if the cash allows it."""
    cash = ctx.get_cash()
    size = @amount
    if size <= 0 or cash < size * price:
        return
    ctx.submit_order(symbol=symbol, side="BUY", size=size)
    ctx.log(f"BUY {size:.8g} {symbol} at {price:.8g}: ratio at {score:.2f} deviations")


def sell(ctx, symbol, price, score):
    """Order the sale of all that is held of a symbol."""
    size = ctx.get_position(symbol)
    ctx.submit_order(symbol=symbol, side="SELL", size=size)
    ctx.log(f"SELL {size:.8g} {symbol} at {price:.8g}: ratio at {score:.2f} deviations")


def on_tick(ctx, tick):
    """Hold FIRST after the ratio fell far, SECOND after it rose far, until it is at its mean."""
    first_price, second_price = ctx.get_price(FIRST), ctx.get_price(SECOND)
    if first_price is None or second_price is None:
        return
    score = find_score(first_price, second_price)
    if score is None:
        return
    if ctx.get_position(FIRST) > 0:
        if score >= 0:
            sell(ctx, FIRST, first_price, score)
    elif ctx.get_position(SECOND) > 0:
        if score <= 0:
            sell(ctx, SECOND, second_price, score)
    elif score <= -ENTRY:
        buy(ctx, FIRST, first_price, score)
    elif score >= ENTRY:
        buy(ctx, SECOND, second_price, score)
'''


def pairs(i: Pairs, request: Request) -> Plan:
    """Return the bot that buys the cheap side of a ratio."""
    constant, amount = amount_of(request.size)
    name = f"Ratio {i.period} {i.first}/{i.second}"
    said = (
        f"Buys the cheap one of {i.first} and {i.second} when their {i.period}-tick ratio is "
        f"{i.entry:.6g} deviations from its mean, and sells it at the mean."
    )
    body = fill(
        _PAIRS,
        first=i.first,
        second=i.second,
        period=i.period,
        entry=literal(i.entry),
        constant=constant,
        amount=amount,
    )
    imports = "from collections import deque\nfrom statistics import fmean, pstdev"
    return Plan("pairs", name, said, plan_file(said, name, [i.first, i.second], body, imports))

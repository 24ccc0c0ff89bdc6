"""The frame of every bot that buys and sells one symbol on a signal.

A strategy gives its constants, its state and the body of `find_signal`; size, cash check, exits
and logging are the same for all and are written here.
"""

from __future__ import annotations

from dataclasses import dataclass

from arena.llm.template.intents import Exits, Request, Size

# An all-in order fills at the next tick's price; what is kept back pays for a rise until then.
MOST_OF_CASH = 0.99


@dataclass(frozen=True, slots=True)
class Signal:
    """The part of a bot's source that belongs to one strategy alone."""

    strategy: str
    name: str
    buys: str
    sells: str
    constants: tuple[tuple[str, float, str], ...]
    state: tuple[str, ...]
    body: str
    imports: tuple[str, ...] = ()
    helpers: str = ""


def signal_source(signal: Signal, request: Request) -> str:
    """Return the whole bot file."""
    parts = [
        _head(signal, request),
        _init(signal.strategy),
        signal.helpers.strip("\n"),
        _find_signal(signal),
        _exit_reason(request.exits),
        _buy(request.size),
        _SELL,
        _on_tick(signal, request),
    ]
    return "\n\n\n".join(part for part in parts if part) + "\n"


def name_of(signal: Signal, request: Request) -> str:
    """Return the bot's name, made of our own words."""
    return f"{signal.name} {request.symbol}"


def describe(signal: Signal, request: Request) -> list[str]:
    """Return what the bot does, in sentences."""
    said = [f"Buys {size_words(request.size, request.symbol)} when {signal.buys}."]
    if request.sells and signal.sells:
        said.append(f"Sells the whole position when {signal.sells}.")
    exits = [
        f"at a loss of {_percent(request.exits.stop)}" if request.exits.stop else "",
        f"at a gain of {_percent(request.exits.profit)}" if request.exits.profit else "",
        f"{_percent(request.exits.trail)} below its best price" if request.exits.trail else "",
    ]
    if any(exits):
        said.append(f"Leaves a position {' or '.join(e for e in exits if e)}.")
    return said


def size_words(size: Size, symbol: str) -> str:
    """Return a size in words."""
    if size.kind == "units":
        return f"{size.value:.10g} {symbol}"
    if size.kind == "money":
        return f"{size.value:.10g} dollars' worth of {symbol}"
    if size.value >= MOST_OF_CASH:
        return f"{symbol} with all its cash"
    return f"{symbol} with {_percent(size.value)} of its cash"


def literal(value: float) -> str:
    """Return a number as Python source, whole numbers without a point."""
    whole = isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15)
    return str(int(value)) if whole else repr(float(value))


def _percent(share: float) -> str:
    return f"{share * 100:.6g}%"


def _head(signal: Signal, request: Request) -> str:
    said = describe(signal, request)
    lines = [f'"""{said[0]}', "", *said[1:], '"""', ""]
    if not said[1:]:
        lines = [f'"""{said[0]}"""', ""]
    if signal.imports:
        lines += [*signal.imports, ""]
    symbol = request.symbol
    lines += [f'NAME = "{name_of(signal, request)}"', f'SYMBOLS = ["{symbol}"]', ""]
    lines += [f'SYMBOL = "{symbol}"']
    lines += [f"{n} = {literal(v)}  # {why}" for n, v, why in signal.constants]
    lines += [_size_constant(request.size)]
    lines += [
        f"{name} = {literal(value)}  # {why}"
        for name, value, why in (
            ("STOP_LOSS", request.exits.stop, "sell this fraction below the entry"),
            ("TAKE_PROFIT", request.exits.profit, "sell this fraction above the entry"),
            ("TRAILING_STOP", request.exits.trail, "sell this fraction below the best price since"),
        )
        if value is not None
    ]
    state = [*signal.state, "short_of_cash = False  # said once, not at every tick"]
    if request.exits:
        state += ["entry_price = None", "best_price = None"]
        state += ["must_wait = False  # after an exit, until the signal that led in has gone"]
    return "\n".join([*lines, "", *state])


def _size_constant(size: Size) -> str:
    if size.kind == "units":
        return f"SIZE = {literal(size.value)}  # bought each time"
    if size.kind == "money":
        return f"DOLLARS = {literal(size.value)}  # spent each time"
    if size.value >= MOST_OF_CASH:
        return f"CASH_SHARE = {MOST_OF_CASH}  # not quite all: the price may rise before the fill"
    return f"CASH_SHARE = {literal(round(size.value, 6))}  # of the cash, spent each time"


def _init(strategy: str) -> str:
    return f'''def init(ctx):
    """Say hello."""
    ctx.log(f"{{NAME}} is ready ({strategy.replace("_", " ")})")'''


def _find_signal(signal: Signal) -> str:
    first = f"Return BUY when {signal.buys}"
    doc = [f'    """{first}."""']
    if signal.sells:
        doc = [f'    """{first},', f"    SELL when {signal.sells}, else None.", '    """']
    return "\n".join(["def find_signal(price):", *doc, signal.body.strip("\n")])


def _exit_reason(exits: Exits) -> str:
    if not exits:
        return ""
    checks = [
        (exits.stop, "price <= entry_price * (1 - STOP_LOSS)", "stop loss"),
        (exits.profit, "price >= entry_price * (1 + TAKE_PROFIT)", "take profit"),
        (exits.trail, "price <= best_price * (1 - TRAILING_STOP)", "trailing stop"),
    ]
    rules = "\n".join(f'    if {test}:\n        return "{word}"' for on, test, word in checks if on is not None)
    return f'''def exit_reason(price, position):
    """Return which protective exit applies at this price, or None."""
    global entry_price, best_price
    if position == 0:
        entry_price = best_price = None
        return None
    if entry_price is None:
        # The order filled at the price of this very tick.
        entry_price = best_price = price
    best_price = max(best_price, price)
{rules}
    return None'''


def _buy(size: Size) -> str:
    if size.kind == "units":
        amount, test = "SIZE", "cash < size * price"
    elif size.kind == "money":
        amount, test = "DOLLARS / price", "cash < DOLLARS"
    else:
        amount, test = "cash * CASH_SHARE / price", "size <= 0"
    return f'''def buy(ctx, price, reason):
    """Order one purchase if the cash allows it."""
    global short_of_cash
    cash = ctx.get_cash()
    size = {amount}
    if {test}:
        if not short_of_cash:
            ctx.log(f"Not enough cash to buy {{size:.8g}} {{SYMBOL}} at {{price:.8g}}")
        short_of_cash = True
        return
    short_of_cash = False
    ctx.submit_order(symbol=SYMBOL, side="BUY", size=size)
    ctx.log(f"BUY {{size:.8g}} {{SYMBOL}} at {{price:.8g}}: {{reason}}")'''


_SELL = '''def sell(ctx, price, position, reason):
    """Order the sale of the whole position."""
    ctx.submit_order(symbol=SYMBOL, side="SELL", size=position)
    ctx.log(f"SELL {position:.8g} {SYMBOL} at {price:.8g}: {reason}")'''


def _on_tick(signal: Signal, request: Request) -> str:
    sells = request.sells and bool(signal.sells)
    sale = f"""
    elif signal == "SELL" and position > 0:
        sell(ctx, price, position, "{signal.sells}")"""
    start = '''def on_tick(ctx, tick):
    """Trade on the newest price; an order fills at the next tick."""'''
    look = """    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    signal = find_signal(price)
    position = ctx.get_position(SYMBOL)
"""
    if not request.exits:
        rules = f"""    if signal == "BUY" and position == 0:
        buy(ctx, price, "{signal.buys}")"""
        return f"{start}\n{look}{rules}{sale if sells else ''}"
    rules = f"""    if signal != "BUY":
        must_wait = False
    reason = exit_reason(price, position)
    if reason is not None:
        sell(ctx, price, position, reason)
        must_wait = signal == "BUY"
    elif signal == "BUY" and position == 0 and not must_wait:
        buy(ctx, price, "{signal.buys}")"""
    return f"{start}\n    global must_wait\n{look}{rules}{sale if sells else ''}"

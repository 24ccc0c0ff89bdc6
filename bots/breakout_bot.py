"""Buys BTCUSDT at a new high, and sells at a new low of a shorter past."""

from collections import deque

NAME = "Breakout"
SYMBOLS = ["BTCUSDT"]

SYMBOL = "BTCUSDT"
HIGH_TICKS = 40
LOW_TICKS = 20
CASH_SHARE = 0.2

highs = deque(maxlen=HIGH_TICKS)
lows = deque(maxlen=LOW_TICKS)


def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")


def find_break(price):
    """Return BUY above the channel of the ticks before, SELL below it, else None."""
    side = None
    if len(highs) == HIGH_TICKS and price > max(highs):
        side = "BUY"
    elif len(lows) == LOW_TICKS and price < min(lows):
        side = "SELL"
    # Only now does the price join the channel, or it could never be outside.
    highs.append(price)
    lows.append(price)
    return side


def on_tick(ctx, tick):
    """Follow the price out of its channel."""
    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    side = find_break(price)
    position = ctx.get_position(SYMBOL)
    size = ctx.get_cash() * CASH_SHARE / price
    if side == "BUY" and position == 0 and size > 0:
        ctx.submit_order(symbol=SYMBOL, side="BUY", size=size)
        ctx.log(f"BUY {size:.8g} {SYMBOL} at {price:.8g}: new {HIGH_TICKS}-tick high")
    elif side == "SELL" and position > 0:
        ctx.submit_order(symbol=SYMBOL, side="SELL", size=position)
        ctx.log(f"SELL {position:.8g} {SYMBOL} at {price:.8g}: new {LOW_TICKS}-tick low")

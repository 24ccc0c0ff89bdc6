"""Buys BTCUSDT when it is unusually far below its mean, and sells once it is back."""

from collections import deque
from statistics import fmean, pstdev

NAME = "Mean Reversion"
SYMBOLS = ["BTCUSDT"]

SYMBOL = "BTCUSDT"
PERIOD = 30
ENTRY = 1.5  # standard deviations below the mean
CASH_SHARE = 0.2

prices = deque(maxlen=PERIOD)


def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")


def on_tick(ctx, tick):
    """Buy far below the mean, sell at it."""
    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    prices.append(price)
    if len(prices) < PERIOD:
        return
    deviation = pstdev(prices)
    if deviation == 0:
        return
    score = (price - fmean(prices)) / deviation
    position = ctx.get_position(SYMBOL)
    size = ctx.get_cash() * CASH_SHARE / price
    if score < -ENTRY and position == 0 and size > 0:
        ctx.submit_order(symbol=SYMBOL, side="BUY", size=size)
        ctx.log(f"BUY {size:.8g} {SYMBOL} at {price:.8g}: {score:.2f} deviations from its mean")
    elif score >= 0 and position > 0:
        ctx.submit_order(symbol=SYMBOL, side="SELL", size=position)
        ctx.log(f"SELL {position:.8g} {SYMBOL} at {price:.8g}: back at its mean")

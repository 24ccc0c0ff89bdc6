"""Holds BTCUSDT while its price is above its 10-tick mean."""

from collections import deque
from statistics import fmean

NAME = "Trend Follower"
SYMBOLS = ["BTCUSDT"]

SYMBOL = "BTCUSDT"
PERIOD = 10
SIZE = 0.005
DELAY_TICKS = 1  # from an order to its fill, as the season's rules say

prices = deque(maxlen=PERIOD)
under_way = 0  # ticks until the last order has filled


def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")


def on_tick(ctx, tick):
    """Buy above the mean when flat, sell all below it when long."""
    global under_way
    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    prices.append(price)
    under_way = max(0, under_way - 1)
    if len(prices) < PERIOD or under_way > 0:
        return
    mean = fmean(prices)
    position = ctx.get_position(SYMBOL)
    if price > mean and position == 0 and ctx.get_cash() >= SIZE * price:
        under_way = DELAY_TICKS
        ctx.submit_order(symbol=SYMBOL, side="BUY", size=SIZE)
        ctx.log(f"BUY {SIZE:.8g} {SYMBOL} at {price:.8g}: above its mean {mean:.8g}")
    elif price < mean and position > 0:
        under_way = DELAY_TICKS
        ctx.submit_order(symbol=SYMBOL, side="SELL", size=position)
        ctx.log(f"SELL {position:.8g} {SYMBOL} at {price:.8g}: below its mean {mean:.8g}")

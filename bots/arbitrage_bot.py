"""Trades the ratio of ETHUSDT to BTCUSDT: buys whichever has become cheap against the other.

Without short selling this is half of a pairs trade: it holds the cheap side until the ratio is
back at its mean, and nothing in between.
"""

from collections import deque
from statistics import fmean, pstdev

NAME = "Ratio Arbitrage"
SYMBOLS = ["ETHUSDT", "BTCUSDT"]

ETH = "ETHUSDT"
BTC = "BTCUSDT"
PERIOD = 40
ENTRY = 1.5  # standard deviations of the ratio from its mean
CASH_SHARE = 0.3

ratios = deque(maxlen=PERIOD)


def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")


def find_score(eth_price, btc_price):
    """Return how far the ratio is from its mean in deviations, or None while that is unknown."""
    ratios.append(eth_price / btc_price)
    if len(ratios) < PERIOD:
        return None
    deviation = pstdev(ratios)
    if deviation == 0:
        return None
    return (ratios[-1] - fmean(ratios)) / deviation


def buy(ctx, symbol, price, score):
    """Put a share of the cash into the cheap side."""
    size = ctx.get_cash() * CASH_SHARE / price
    if size > 0:
        ctx.submit_order(symbol=symbol, side="BUY", size=size)
        ctx.log(f"BUY {size:.8g} {symbol} at {price:.8g}: ratio {score:.2f} deviations off")


def sell(ctx, symbol, price):
    """Sell all of a side whose advantage is gone."""
    size = ctx.get_position(symbol)
    ctx.submit_order(symbol=symbol, side="SELL", size=size)
    ctx.log(f"SELL {size:.8g} {symbol} at {price:.8g}: ratio back at its mean")


def on_tick(ctx, tick):
    """Hold ETH after the ratio fell far, BTC after it rose far, until it is back."""
    eth_price, btc_price = ctx.get_price(ETH), ctx.get_price(BTC)
    if eth_price is None or btc_price is None:
        return
    score = find_score(eth_price, btc_price)
    if score is None:
        return
    if ctx.get_position(ETH) > 0:
        if score >= 0:
            sell(ctx, ETH, eth_price)
    elif ctx.get_position(BTC) > 0:
        if score <= 0:
            sell(ctx, BTC, btc_price)
    elif score < -ENTRY:
        buy(ctx, ETH, eth_price, score)
    elif score > ENTRY:
        buy(ctx, BTC, btc_price, score)

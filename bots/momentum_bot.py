"""Buys BTCUSDT after an unusually strong rise, and lets go when the rise has turned.

"Strong" is measured against the market's own recent noise, so the same numbers serve one-second
ticks and hourly bars.
"""

from collections import deque
from math import sqrt
from statistics import fmean

NAME = "Momentum"
SYMBOLS = ["BTCUSDT"]

SYMBOL = "BTCUSDT"
LOOKBACK = 20  # ticks of the rise
NOISE_TICKS = 60  # ticks over which the usual size of a move is taken
STRENGTH = 0.8  # a rise this many times what noise alone would bring
CASH_SHARE = 0.2

prices = deque(maxlen=LOOKBACK + 1)
moves = deque(maxlen=NOISE_TICKS)


def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")


def find_strength(price):
    """Return the rise over LOOKBACK in units of noise, or None while that is unknown."""
    if prices:
        moves.append((price / prices[-1] - 1) ** 2)
    prices.append(price)
    if len(prices) <= LOOKBACK:
        return None
    # Independent moves add up with the square root of their number.
    noise = sqrt(fmean(moves) * LOOKBACK)
    if noise == 0:
        return None
    return (price / prices[0] - 1) / noise


def on_tick(ctx, tick):
    """Buy strength, sell weakness."""
    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    strength = find_strength(price)
    if strength is None:
        return
    position = ctx.get_position(SYMBOL)
    size = ctx.get_cash() * CASH_SHARE / price
    if strength > STRENGTH and position == 0 and size > 0:
        ctx.submit_order(symbol=SYMBOL, side="BUY", size=size)
        ctx.log(f"BUY {size:.8g} {SYMBOL} at {price:.8g}: momentum {strength:.2f}")
    elif strength < 0 and position > 0:
        ctx.submit_order(symbol=SYMBOL, side="SELL", size=position)
        ctx.log(f"SELL {position:.8g} {SYMBOL} at {price:.8g}: momentum {strength:.2f}")

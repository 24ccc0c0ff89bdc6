"""Buys and sells a little at random: a yardstick that any idea should beat."""

import random

NAME = "Random Trader"
SYMBOLS = ["BTCUSDT"]

SYMBOL = "BTCUSDT"
SIZE = 0.001
CHANCE = 0.1  # of doing anything at all at a tick
MIN_CASH = 100


def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")


def on_tick(ctx, tick):
    """At one tick in ten buy a little, sell half, or think better of it."""
    price = ctx.get_price(SYMBOL)
    if price is None or random.random() >= CHANCE:
        return
    cash = ctx.get_cash()
    position = ctx.get_position(SYMBOL)
    choice = random.choice(["buy", "sell", "nothing"])
    if choice == "buy" and cash > MIN_CASH and cash >= SIZE * price:
        ctx.submit_order(symbol=SYMBOL, side="BUY", size=SIZE)
        ctx.log(f"BUY {SIZE:.8g} {SYMBOL} at {price:.8g}: chance said so")
    elif choice == "sell" and position > 0:
        ctx.submit_order(symbol=SYMBOL, side="SELL", size=position / 2)
        ctx.log(f"SELL {position / 2:.8g} {SYMBOL} at {price:.8g}: chance said so")

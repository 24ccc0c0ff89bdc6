"""Puts nearly all its cash into BTCUSDT at the first price and waits."""

NAME = "Buy and Hold"
SYMBOLS = ["BTCUSDT"]

SYMBOL = "BTCUSDT"
CASH_SHARE = 0.95  # the order fills one tick later, maybe dearer, and it must be paid even then


def init(ctx):
    """Say hello."""
    ctx.log(f"{NAME} is ready")


def on_tick(ctx, tick):
    """Buy once; try again only if the order did not fill."""
    price = ctx.get_price(SYMBOL)
    if price is None or ctx.get_position(SYMBOL) > 0:
        return
    size = ctx.get_cash() * CASH_SHARE / price
    if size > 0:
        ctx.submit_order(symbol=SYMBOL, side="BUY", size=size)
        ctx.log(f"BUY {size:.8g} {SYMBOL} at {price:.8g}: to keep")

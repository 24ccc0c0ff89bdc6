# expect: error
# why: an init that raises
NAME = "x"
SYMBOLS = ["BTCUSDT"]


def init(ctx):
    1 / 0


def on_tick(ctx, tick):
    pass

# expect: TIMEOUT
# why: an endless init
NAME = "x"
SYMBOLS = ["BTCUSDT"]


def init(ctx):
    while True:
        pass


def on_tick(ctx, tick):
    pass

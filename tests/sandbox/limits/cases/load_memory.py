# expect: refused
# why: a module body that wants too much memory
NAME = "x"
SYMBOLS = ["BTCUSDT"]
BIG = [0] * 10 ** 10

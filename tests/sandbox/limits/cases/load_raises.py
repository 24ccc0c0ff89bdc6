# expect: refused
# why: a module body that raises
NAME = "x"
SYMBOLS = ["BTCUSDT"]
1 / 0

# expect: refused
# why: an endless module body
NAME = "x"
SYMBOLS = ["BTCUSDT"]
while True:
    pass

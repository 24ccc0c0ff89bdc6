# family: format
# expect: blocked
# control: plain
# why: Kept as a class attribute it is the safe one.
def f(): pass
class S(str):
    go = str.format
hand_over(S("{0.__globals__}").go(f))

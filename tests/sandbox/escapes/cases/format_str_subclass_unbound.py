# family: format
# expect: blocked
# control: plain
# why: Its unbound method too.
def f(): pass
class S(str): pass
hand_over(S.format("{0.__globals__}", f))

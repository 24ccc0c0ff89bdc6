# family: format
# expect: blocked
# control: plain
# why: A format text reads attributes as the guard does.
def f(): pass
hand_over(str.format("{0.__globals__}", f))

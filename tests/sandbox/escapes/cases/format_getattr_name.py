# family: format
# expect: blocked
# control: naive
# why: A format text reads attributes as the guard does.
def f(): pass
hand_over(getattr("{0.__globals__}", "for" + "mat")(f))

# family: format
# expect: blocked
# control: plain
# why: A format text reads attributes as the guard does.
def f(): pass
hand_over("{a.__globals__}".format(a=f))

# family: format
# expect: blocked
# control: plain
# why: A format text reads attributes as the guard does.
def f(): pass
hand_over("{0[0].__globals__}".format([f]))

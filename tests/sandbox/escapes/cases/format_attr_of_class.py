# family: format
# expect: blocked
# control: plain
# why: A format text reads attributes as the guard does.
def f(): pass
hand_over("{0.__class__.__mro__[1].__subclasses__}".format(1) and "__builtins__")

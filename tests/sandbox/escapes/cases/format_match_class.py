# family: format
# expect: refused
# control: plain
# why: A pattern cannot read it.
def f(): pass
match "{0.__globals__}":
    case str(format=g): hand_over(g(f))

# family: dunder
# expect: refused
# control: plain
# why: A decorator is an expression like any other.
@(lambda f: f.__globals__)
def f(): pass
hand_over(f)

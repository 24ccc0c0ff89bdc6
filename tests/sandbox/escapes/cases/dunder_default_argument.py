# family: dunder
# expect: refused
# control: plain
# why: Defaults are evaluated when the function is made.
def f(x=(lambda: 0).__globals__):
    return x
hand_over(f())

# family: format
# expect: blocked
# control: naive
# why: Nor a single-dispatch function.
def f(): pass
from functools import singledispatch
hand_over(singledispatch(str).format("{0.__globals__}", f))

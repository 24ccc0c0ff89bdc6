# family: format
# expect: blocked
# control: naive
# why: A wrapper of a class does not carry its methods.
def f(): pass
from functools import wraps
w = wraps(str)(lambda: 0)
hand_over(w.format("{0.__globals__}", f))

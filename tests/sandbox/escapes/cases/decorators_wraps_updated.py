# family: decorators
# expect: blocked
# control: naive
# why: Nor does it update what it is told to.
from functools import wraps
def g(): pass
def h(): pass
g.x = 1
w = wraps(g, updated=("__globals__",))(h)
breach("globals updated")

# family: decorators
# expect: blocked
# control: naive
# why: wraps copies what it is told to, but not onto special names of the host.
from functools import wraps
class F: pass
f = F()
def g(): return 1
def h(): return 2
w = wraps(g, assigned=("__code__",))(h)
if w() == 1: breach("code copied")

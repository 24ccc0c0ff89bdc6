# family: dunder
# expect: blocked
# control: plain
# why: Special methods of functions are not given out to build with.
def f(self): return self
f.__get__(1)
breach("bound")

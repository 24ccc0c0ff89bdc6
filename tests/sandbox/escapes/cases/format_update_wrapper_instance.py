# family: format
# expect: blocked
# control: naive
# why: Nor an object that was made to look like it.
def f(): pass
import functools
class W: pass
w = W()
functools.update_wrapper(w, str)
hand_over(w.format("{0.__globals__}", f))

# family: format
# expect: blocked
# control: naive
# why: Nor a context manager.
def f(): pass
from contextlib import contextmanager
hand_over(contextmanager(str).format("{0.__globals__}", f))

# family: format
# expect: blocked
# control: naive
# why: Nor a context manager used as a decorator.
def f(): pass
from contextlib import contextmanager
@contextmanager
def cm():
    yield
hand_over(cm()(str).format("{0.__globals__}", f))

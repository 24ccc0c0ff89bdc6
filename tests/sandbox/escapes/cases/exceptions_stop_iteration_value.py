# family: exceptions
# expect: blocked
# control: none
# why: What a StopIteration holds is what the generator returned.
def g():
    return 5
    yield
try:
    next(g())
except StopIteration as e:
    hand_over(e.value)

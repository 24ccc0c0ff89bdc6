# family: format
# expect: blocked
# control: naive
# why: attrgetter reads through the guard.
def f(): pass
from operator import attrgetter
hand_over(attrgetter("__globals__")(f))

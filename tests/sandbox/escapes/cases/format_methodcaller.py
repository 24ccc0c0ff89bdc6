# family: format
# expect: blocked
# control: naive
# why: methodcaller finds methods through the guard.
def f(): pass
from operator import methodcaller
hand_over(methodcaller("format", f)("{0.__globals__}"))

# family: format
# expect: refused
# control: naive
# why: There is no UserString.
def f(): pass
from collections import UserString
hand_over(UserString("{0.__globals__}").format(f))

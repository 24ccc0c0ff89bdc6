# family: format
# expect: refused
# control: plain
# why: There is no Formatter.
def f(): pass
from string import Formatter
hand_over(Formatter().format("{0.__globals__}", f))

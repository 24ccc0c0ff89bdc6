# family: format
# expect: blocked
# control: plain
# why: An enumeration of texts formats like str.
def f(): pass
from enum import Enum
class E(str, Enum):
    A = "{0.__globals__}"
hand_over(E.A.format(f))

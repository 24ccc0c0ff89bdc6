# family: format
# expect: blocked
# control: plain
# why: So does a StrEnum.
def f(): pass
from enum import StrEnum
class E(StrEnum):
    A = "{0.__globals__}"
hand_over(E.A.format(f))

# family: format
# expect: blocked
# control: plain
# why: Nor from a mixed-in base.
def f(): pass
class M:
    with_ = 1
    def __init_subclass__(cls): pass
from dataclasses import dataclass, field
@dataclass
class D:
    format: object = None
class S(D, str):
    pass
x = str.__new__(S, "{0.__globals__}")
D.format = None
del D.format
match x:
    case S(g): hand_over(g(f))

# family: functional
# expect: blocked
# control: plain
# why: Names given as data are held to what a class statement may bind.
from enum import Enum
X = Enum("X", {"A": "{0.__globals__}", "__match_args__": ("format",)}, type=str)
match X.A:
    case X(g): hand_over(g(lambda: 0))

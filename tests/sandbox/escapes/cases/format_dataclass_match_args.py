# family: format
# expect: blocked
# control: plain
# why: Nor by the positions a dataclass lists.
def f(): pass
from dataclasses import dataclass, field
@dataclass
class S(str):
    format: object = field(default_factory=list)
x = S.__new__(S, "{0.__globals__}")
match x:
    case S(g): hand_over(g(f))

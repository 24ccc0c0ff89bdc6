# family: format
# expect: blocked
# control: none
# why: Nor by a protocol that matches every str.
def f(): pass
from typing import Protocol, runtime_checkable
from dataclasses import dataclass, field
@dataclass
@runtime_checkable
class P(Protocol):
    format: object
match "{0.__globals__}":
    case P(g): hand_over(g(f))

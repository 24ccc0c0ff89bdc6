# family: functional
# expect: blocked
# control: none
# why: Fields named like the helpers of dataclasses change nothing of the host.
from dataclasses import dataclass, field
@dataclass
class A:
    MISSING: int = 1
    _dflt_x: int = 2
    x: list = field(default_factory=list)
    _HAS_DEFAULT_FACTORY: int = 3
hand_over(A())

# family: functional
# expect: blocked
# control: plain
# why: By setattr neither.
from dataclasses import dataclass, fields
@dataclass
class A:
    x: int = 1
setattr(fields(A)[0], "name", "1 + breach(1)")
breach("renamed")

# family: functional
# expect: blocked
# control: none
# why: Nor to source text, which dataclass would run.
from dataclasses import dataclass, field
f = field(default=1)
@dataclass
class A:
    x: int = f
f.name = "x: 0 = (), z"
@dataclass
class B(A):
    y: int = 2
breach("the text became code")

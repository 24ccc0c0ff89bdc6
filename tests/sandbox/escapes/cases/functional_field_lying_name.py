# family: functional
# expect: blocked
# control: plain
# why: Nor to a string that lies.
from dataclasses import dataclass, fields
class K(str):
    def isidentifier(self): return True
@dataclass
class A:
    x: int = 1
fields(A)[0].name = K("x=1")
breach("renamed")

# family: functional
# expect: blocked
# control: plain
# why: Nor while the class is being made.
from dataclasses import dataclass, field
class D:
    def __get__(self, o, owner=None):
        try:
            owner.x.name = "x=().__class__"
            breach("renamed")
        except AttributeError:
            pass
        return 1
@dataclass
class A:
    x: int = field(default=1)
    y: int = D()

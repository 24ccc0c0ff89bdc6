# family: classes
# expect: blocked
# control: naive
# why: Nor does an own one, so that no pattern takes foreign objects for own.
from abc import ABC
class A(ABC):
    pass
A.register(str)
if isinstance("x", A): breach("registered")

# family: copying
# expect: blocked
# control: plain
# why: A memo is a table by address: a bot passes it on, and can neither read nor fill it.
import dataclasses
class A:
    def __deepcopy__(self, memo):
        breach(list(memo.keys()))
        return self
@dataclasses.dataclass
class X:
    a: object
dataclasses.astuple(X(A()))

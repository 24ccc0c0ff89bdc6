# family: copying
# expect: blocked
# control: plain
# why: A memo is a table by address: a bot passes it on, and can neither read nor fill it.
import dataclasses
class A:
    def __deepcopy__(self, memo):
        breach(list(memo.keys()))
        return self
class Holder:
    def __init__(self): self.a = [A()]
@dataclasses.dataclass
class X:
    a: object
dataclasses.asdict(X(Holder()))

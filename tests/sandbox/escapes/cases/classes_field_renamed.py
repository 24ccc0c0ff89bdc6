# family: classes
# expect: blocked
# control: plain
# why: A field renamed by hand is no field of a dataclass.
import dataclasses
@dataclasses.dataclass
class X:
    a: int = 1
dataclasses.fields(X)[0].name = "b"
@dataclasses.dataclass
class Y(X): pass
breach(Y())

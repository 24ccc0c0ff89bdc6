# family: functional
# expect: blocked
# control: plain
# why: What the metaclass of enumerations puts into a class is not given out.
from enum import Enum
class E(Enum):
    A = 1
E._unhashable_values_
breach("private")

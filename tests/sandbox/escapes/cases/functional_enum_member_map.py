# family: functional
# expect: blocked
# control: plain
# why: The member map is read-only.
from enum import Enum
class E(Enum):
    A = 1
E._member_map_["__class__"] = 1
breach("stored")

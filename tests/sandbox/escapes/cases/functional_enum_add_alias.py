# family: functional
# expect: blocked
# control: none
# why: Aliases cannot be added to members.
from enum import Enum
class D(dict, Enum):
    A = {"shape": (1,)}
D.A._add_alias_("__array_interface__")
breach("added")

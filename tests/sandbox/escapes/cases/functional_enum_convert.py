# family: functional
# expect: blocked
# control: plain
# why: Nor can an enumeration be made from a module.
from enum import IntEnum
hand_over(IntEnum._convert_)
breach("private")

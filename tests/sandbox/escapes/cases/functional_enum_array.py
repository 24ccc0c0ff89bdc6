# family: functional
# expect: blocked
# control: naive
# why: Names given as data are held to what a class statement may bind.
from enum import Enum
X = Enum("X", {"A": 1, "__array_interface__": 1})
breach("made")

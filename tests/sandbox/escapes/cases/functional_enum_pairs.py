# family: functional
# expect: blocked
# control: none
# why: Names given as data are held to what a class statement may bind.
from enum import Enum
X = Enum("X", [("A", 1), ("__getattribute__", lambda s, n: 1)])
breach("made")

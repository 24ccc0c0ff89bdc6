# family: copying
# expect: blocked
# control: naive
# why: copy does not ask an object how it wants to be taken apart.
from types import SimpleNamespace
import copy
class T0: pass
T = T0()
n = SimpleNamespace(**{"__reduce_ex__": lambda p: (lambda: T, (), {"__array_interface__": 1})})
copy.deepcopy(n)
breach("reduced")

# family: builtins
# expect: blocked
# control: none
# why: Nor can it be pointed at another object.
import math
class A: pass
d = A().__dict__
d._owner = math
d["sqrt"] = 1
if math.sqrt == 1: breach("poisoned")

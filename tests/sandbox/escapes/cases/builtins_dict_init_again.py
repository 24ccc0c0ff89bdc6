# family: builtins
# expect: blocked
# control: none
# why: Nor can it be made again over another object.
import math
class A: pass
d = A().__dict__
d.__init__(math)
d["sqrt"] = 1
if math.sqrt == 1: breach("poisoned")

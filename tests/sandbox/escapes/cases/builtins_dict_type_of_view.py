# family: builtins
# expect: blocked
# control: none
# why: Its class shows as dict, which takes no owner.
import math
class A: pass
T = type(A().__dict__)
T(math)["sqrt"] = 1
if math.sqrt == 1: breach("poisoned")

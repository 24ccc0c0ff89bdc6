# family: builtins
# expect: blocked
# control: plain
# why: vars shows only own objects.
import math
hand_over(vars(math))
vars(math)["sqrt"] = 1
if math.sqrt == 1: breach("poisoned")

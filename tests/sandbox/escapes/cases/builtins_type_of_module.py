# family: builtins
# expect: blocked
# control: naive
# why: So is that of modules.
import math
M = type(math)
hand_over(M)
M("os")
breach("module class")

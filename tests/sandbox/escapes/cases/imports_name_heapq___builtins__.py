# family: imports
# expect: refused
# control: plain
# why: Names that a facade does not offer are refused.
from heapq import __builtins__ as x
hand_over(x)

# family: imports
# expect: refused
# control: plain
# why: Names that a facade does not offer are refused.
from math import __loader__ as x
hand_over(x)

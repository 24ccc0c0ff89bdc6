# family: imports
# expect: refused
# control: naive
# why: Names that a facade does not offer are refused.
from fractions import sys as x
hand_over(x)

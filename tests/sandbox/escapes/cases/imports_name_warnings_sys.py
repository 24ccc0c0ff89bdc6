# family: imports
# expect: refused
# control: plain
# why: Names that a facade does not offer are refused.
from warnings import sys as x
hand_over(x)

# family: imports
# expect: refused
# control: plain
# why: Names that a facade does not offer are refused.
from collections import _sys as x
hand_over(x)

# family: imports
# expect: refused
# control: none
# why: Names that a facade does not offer are refused.
from datetime import sys as x
hand_over(x)

# family: imports
# expect: refused
# control: none
# why: Names that a facade does not offer are refused.
from operator import call as x
hand_over(x)

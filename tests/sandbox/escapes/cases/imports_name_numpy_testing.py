# family: imports
# expect: refused
# control: naive
# why: Names that a facade does not offer are refused.
from numpy import testing as x
hand_over(x)

# family: imports
# expect: refused
# control: plain
# why: Names that a facade does not offer are refused.
from random import _os as x
hand_over(x)

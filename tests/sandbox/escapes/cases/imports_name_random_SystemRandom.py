# family: imports
# expect: refused
# control: naive
# why: Names that a facade does not offer are refused.
from random import SystemRandom as x
hand_over(x)

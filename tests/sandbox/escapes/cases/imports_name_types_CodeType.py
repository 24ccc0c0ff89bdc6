# family: imports
# expect: refused
# control: naive
# why: Names that a facade does not offer are refused.
from types import CodeType as x
hand_over(x)

# family: imports
# expect: refused
# control: naive
# why: Names that a facade does not offer are refused.
from contextlib import redirect_stdout as x
hand_over(x)

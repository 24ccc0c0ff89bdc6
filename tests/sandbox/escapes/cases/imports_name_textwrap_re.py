# family: imports
# expect: refused
# control: naive
# why: Names that a facade does not offer are refused.
from textwrap import re as x
hand_over(x)

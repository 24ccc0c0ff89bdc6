# family: imports
# expect: refused
# control: none
# why: Names that a facade does not offer are refused.
from dataclasses import make_dataclass as x
hand_over(x)

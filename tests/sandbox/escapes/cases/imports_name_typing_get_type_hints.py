# family: imports
# expect: refused
# control: none
# why: Names that a facade does not offer are refused.
from typing import get_type_hints as x
hand_over(x)

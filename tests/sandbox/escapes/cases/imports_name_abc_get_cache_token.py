# family: imports
# expect: refused
# control: none
# why: Names that a facade does not offer are refused.
from abc import get_cache_token as x
hand_over(x)

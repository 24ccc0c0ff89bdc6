# family: facades
# expect: blocked
# control: none
# why: A cached property cannot be made to write into a facade.
from functools import cached_property
import math
c = cached_property(lambda s: 666)
c.__set_name__(object, "sqrt")
c.__get__(math)
if math.sqrt == 666: breach("poisoned")

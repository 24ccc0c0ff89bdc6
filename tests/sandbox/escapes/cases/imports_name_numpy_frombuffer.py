# family: imports
# expect: refused
# control: none
# why: Names that a facade does not offer are refused.
from numpy import frombuffer as x
hand_over(x)

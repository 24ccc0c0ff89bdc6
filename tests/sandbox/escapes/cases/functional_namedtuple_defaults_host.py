# family: functional
# expect: blocked
# control: none
# why: Defaults are values.
from collections import namedtuple
X = namedtuple("X", "a", defaults=[len])
hand_over(X().a)
hand_over(X._field_defaults)

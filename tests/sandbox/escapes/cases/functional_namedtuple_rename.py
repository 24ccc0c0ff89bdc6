# family: functional
# expect: blocked
# control: none
# why: rename makes plain names of bad ones.
from collections import namedtuple
X = namedtuple("X", "a=breach(1) __class__ def", rename=True)
hand_over(X(1, 2, 3)._fields if False else X._fields)

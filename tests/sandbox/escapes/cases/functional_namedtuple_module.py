# family: functional
# expect: blocked
# control: naive
# why: It takes no module.
from collections import namedtuple
X = namedtuple("X", "a", module="builtins")
breach("made")

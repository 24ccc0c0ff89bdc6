# family: dunder
# expect: blocked
# control: plain
# why: And so in partial.
from functools import partial
hand_over(partial(getattr, lambda: 0)("__co" + "de__"))

# family: dunder
# expect: blocked
# control: naive
# why: And so in partial.
from functools import partial
hand_over(partial(getattr, lambda: 0)("__co" + "de__"))

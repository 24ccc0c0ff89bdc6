# family: dunder
# expect: blocked
# control: naive
# why: And so in reduce.
from functools import reduce
hand_over(reduce(getattr, ["__class" + "__", "__base" + "__", "__subclasses" + "__"], 1)())

# family: format
# expect: blocked
# control: naive
# why: Each step of a dotted name.
from operator import attrgetter
hand_over(attrgetter("__class__.__base__.__subclasses__")(1)())
breach("subclasses")

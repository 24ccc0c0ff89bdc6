# family: facades
# expect: blocked
# control: none
# why: Bound methods do not give out their object.
import random
hand_over(getattr(random.random, "__se" + "lf__"))

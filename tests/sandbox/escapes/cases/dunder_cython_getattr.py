# family: dunder
# expect: blocked
# control: naive
# why: By getattr too.
import numpy as np
hand_over(getattr(np.random.normal, "func_" + "globals"))

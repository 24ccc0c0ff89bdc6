# family: numpy
# expect: refused
# control: plain
# why: The facade does not have it.
import numpy as np
hand_over(np.seterrcall(print))
breach("there")

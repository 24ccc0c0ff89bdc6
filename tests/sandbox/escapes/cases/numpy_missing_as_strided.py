# family: numpy
# expect: refused
# control: naive
# why: The facade does not have it.
import numpy as np
hand_over(np.lib.stride_tricks.as_strided(np.zeros(3), (9,)))
breach("there")

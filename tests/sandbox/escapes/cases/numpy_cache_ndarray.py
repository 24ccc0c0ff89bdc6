# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
from functools import cache
hand_over(cache(type(np.zeros(1))).view)
breach("method")

# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
hand_over(np.zeros(3).flat.base)
breach("base")

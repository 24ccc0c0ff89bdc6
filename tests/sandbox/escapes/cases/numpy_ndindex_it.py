# family: numpy
# expect: blocked
# control: none
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
hand_over(np.ndindex(3)._it)
breach("iterator")

# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
np.arange(4).view(np.float64)
breach("viewed")

# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
np.zeros(3).flags.writeable = False
breach("flags")

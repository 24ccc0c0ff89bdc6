# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
np.dtype("i4").newbyteorder
breach("dtype")

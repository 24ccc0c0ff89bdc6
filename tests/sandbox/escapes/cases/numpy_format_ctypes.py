# family: numpy
# expect: blocked
# control: plain
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
"{0.ctypes.data}".format(np.zeros(3))
breach("address")

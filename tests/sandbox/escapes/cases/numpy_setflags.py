# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
a = np.zeros(3)
a.setflags(write=True)
breach("flags")

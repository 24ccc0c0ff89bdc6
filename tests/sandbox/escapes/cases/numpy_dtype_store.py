# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
a = np.arange(4)
a.dtype = "f8"
breach("stored")

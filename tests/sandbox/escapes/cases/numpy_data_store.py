# family: numpy
# expect: blocked
# control: none
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
a = np.arange(4)
a.data = bytearray(32)
breach("stored")

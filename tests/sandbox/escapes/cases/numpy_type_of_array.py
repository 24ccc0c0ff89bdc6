# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
T = type(np.arange(3))
T((4,), dtype="i8", buffer=bytearray(32), strides=(8,))
breach("constructor")

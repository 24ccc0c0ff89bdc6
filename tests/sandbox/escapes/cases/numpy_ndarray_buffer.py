# family: numpy
# expect: blocked
# control: naive
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
np.ndarray((4,), dtype=object, buffer=np.arange(4) + 4096)
breach("objects from numbers")

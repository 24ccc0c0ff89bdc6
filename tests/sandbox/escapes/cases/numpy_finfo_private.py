# family: numpy
# expect: blocked
# control: plain
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
np.finfo(float)._init
breach("private")

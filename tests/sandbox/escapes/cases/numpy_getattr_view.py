# family: numpy
# expect: blocked
# control: none
# why: No way leads from an array to memory, files or its own layout.
import numpy as np
getattr(np.arange(3), "vi" + "ew")("O")
breach("viewed")
